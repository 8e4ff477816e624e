"""What the setting `redis` may say."""

import pytest

from sluicegate.config.redis_address import RedisAddress, RedisAddressError, parse

SECRET = "canary-hunter2"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://cache", RedisAddress(hosts=(("cache", 6379),))),
        ("redis://cache:6380/3", RedisAddress(hosts=(("cache", 6380),), database=3)),
        ("redis://[::1]:6380/", RedisAddress(hosts=(("::1", 6380),))),
        ("redis://:p%40ss@cache", RedisAddress(hosts=(("cache", 6379),), password="p@ss")),
        ("redis://us%3Aer:p%2F@cache", RedisAddress(hosts=(("cache", 6379),), username="us:er", password="p/")),
        ("rediss://cache", RedisAddress(hosts=(("cache", 6379),), is_tls=True)),
        (
            "rediss://cache?ca=/ca.pem&cert=/c.pem&key=/k.pem",
            RedisAddress(
                hosts=(("cache", 6379),),
                is_tls=True,
                tls_authorities="/ca.pem",
                tls_certificate="/c.pem",
                tls_key="/k.pem",
            ),
        ),
        ("unix:///run/redis.sock", RedisAddress(path="/run/redis.sock")),
        ("unix://:x@/run/a%20b?db=2", RedisAddress(path="/run/a b", password="x", database=2)),
        ("redis://a:1?cluster=true", RedisAddress(hosts=(("a", 1),), is_cluster=True)),
        ("redis://a:1?cluster=false", RedisAddress(hosts=(("a", 1),))),
        ("redis+cluster://a:1,b", RedisAddress(hosts=(("a", 1), ("b", 6379)), is_cluster=True)),
        ("rediss+cluster://a", RedisAddress(hosts=(("a", 6379),), is_cluster=True, is_tls=True)),
    ],
)
def test_read(url: str, address: RedisAddress) -> None:
    """Servers, sockets and clusters are named by addresses."""
    assert parse(url) == address


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"cache:{SECRET}", "a Redis server is redis://"),
        (f"http://:{SECRET}@cache", "a Redis server is redis://"),
        (f"redis://:{SECRET}@cache#1", "a Redis server is redis://"),
        (f"redis://:{SECRET}@[cache", "a Redis server is redis://"),
        (f"redis://:{SECRET}@cache?cluster", "a Redis server is redis://"),
        (f"redis://:{SECRET}@cache?cluster=yes", "true or false"),
        (f"redis://:{SECRET}@cache?timeout=9", "after [?]"),
        (f"redis://:{SECRET}@cache?ca=/ca.pem", "after [?]"),
        (f"redis://:{SECRET}@cache/first", "a number"),
        (f"redis://:{SECRET}@cache/99999", "a number"),
        (f"redis+cluster://:{SECRET}@cache/1", "only database 0"),
        (f"unix://:{SECRET}@/run/redis.sock?cluster=true", "only database 0"),
        (f"unix://:{SECRET}@host/run/redis.sock", "unix:///path"),
        (f"unix://:{SECRET}@", "unix:///path"),
        (f"redis://:{SECRET}@a,b", "nodes of a cluster"),
        (f"redis://:{SECRET}@cache:x", "no valid host or port"),
        (f"redis://:{SECRET}@cache:0", "no valid host or port"),
        (f"redis://:{SECRET}@", "no valid host or port"),
        (f"redis://user@{SECRET}@cache", "written as %40"),
    ],
)
def test_refused(url: str, message: str) -> None:
    """What is no address is refused with a way out, and without what might be a password."""
    with pytest.raises(RedisAddressError, match=message) as raised:
        parse(url)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"redis://user:{SECRET}@[::1]:6380/1", "Redis [::1]:6380/1"),
        (f"redis+cluster://:{SECRET}@a,b:1", "Redis cluster a:6379,b:1"),
        (f"unix://:{SECRET}@/run/redis.sock", "Redis /run/redis.sock"),
    ],
)
def test_shown(url: str, shown: str) -> None:
    """An address shows where the server is, and never the password."""
    assert str(parse(url)) == shown
    assert repr(parse(url)) == f"<RedisAddress {shown}>"
