"""Ready providers: where each is, what it speaks, where its key goes. Data, and no code for any of them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Preset:
    """A provider that is known by name. In `base_url`, `{name}` stands for a parameter that the operator gives.

    A preset with `key_variables` configures itself when one of them is set and all its parameters have a value, unless
    the file declares its name; the first that is set counts.
    """

    name: str
    dialect: str
    base_url: str
    """Empty where it cannot be known."""
    key_variables: tuple[str, ...] = ()
    base_url_variable: str | None = None
    version_variable: str | None = None
    """Variable with the value of the default header `anthropic-version`."""
    base_url_suffix: str = ""
    """What follows the variable's value, where that is an endpoint and no base URL yet."""
    parameter_variables: tuple[tuple[str, str], ...] = ()
    """Parameters of `base_url`, each with the variable that may set it."""
    parameters: tuple[str, ...] = ()
    credential: str = ""
    """Where the key goes, as the setting `credential` says it; empty for where the dialect wants it."""
    caller_headers: dict[str, dict[str, str]] = field(default_factory=dict)
    """As the setting of this name."""
    ask_usage: bool = True
    """False where `stream_options` is refused; usage is then what the stream tells unasked, or counted here."""


PRESETS = (
    Preset("openai", "openai", "https://api.openai.com/v1", ("OPENAI_API_KEY",), base_url_variable="OPENAI_BASE_URL"),
    Preset(
        "anthropic",
        "anthropic",
        "https://api.anthropic.com",
        ("ANTHROPIC_API_KEY",),
        base_url_variable="ANTHROPIC_BASE_URL",
        version_variable="ANTHROPIC_VERSION",
    ),
    Preset(
        "gemini",
        "gemini",
        "https://generativelanguage.googleapis.com",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        base_url_variable="GEMINI_BASE_URL",
    ),
    # Refuses `stream_options` with 422, and tells usage without it.
    Preset("mistral", "openai", "https://api.mistral.ai/v1", ("MISTRAL_API_KEY",), ask_usage=False),
    Preset("groq", "openai", "https://api.groq.com/openai/v1", ("GROQ_API_KEY",)),
    Preset("deepseek", "openai", "https://api.deepseek.com/v1", ("DEEPSEEK_API_KEY",)),
    Preset("xai", "openai", "https://api.x.ai/v1", ("XAI_API_KEY",)),
    Preset("together", "openai", "https://api.together.xyz/v1", ("TOGETHER_API_KEY",)),
    Preset("fireworks", "openai", "https://api.fireworks.ai/inference/v1", ("FIREWORKS_API_KEY",)),
    Preset("openrouter", "openai", "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",)),
    Preset("cerebras", "openai", "https://api.cerebras.ai/v1", ("CEREBRAS_API_KEY",)),
    # The v1 API: no `api-version`, and the model of a request names the deployment.
    Preset(
        "azure",
        "openai",
        "https://{resource}.openai.azure.com/openai/v1",
        ("AZURE_OPENAI_API_KEY",),
        base_url_variable="AZURE_OPENAI_ENDPOINT",
        base_url_suffix="/openai/v1",
        parameters=("resource",),
        credential="api-key",
    ),
    # Its compatibility API refuses `stream_options`.
    Preset(
        "cohere",
        "openai",
        "https://api.cohere.ai/compatibility/v1",
        ("COHERE_API_KEY", "CO_API_KEY"),
        ask_usage=False,
    ),
    Preset("zai", "openai", "https://api.z.ai/api/paas/v4", ("ZAI_API_KEY",), base_url_variable="ZAI_BASE_URL"),
    # The same keys, paid by a coding plan instead of by use.
    Preset("zai-coding", "openai", "https://api.z.ai/api/coding/paas/v4"),
    # Its models are named `provider/model`.
    Preset(
        "cloudflare",
        "openai",
        "https://gateway.ai.cloudflare.com/v1/{account}/{gateway}/compat",
        ("AI_GATEWAY_TOKEN",),
        parameter_variables=(("account", "AI_GATEWAY_ACCOUNT_ID"), ("gateway", "AI_GATEWAY_ID")),
        parameters=("account", "gateway"),
        credential="cf-aig-authorization Bearer",
        caller_headers={"cf-aig-metadata": {"user_id": "user", "org_id": "organization"}},
    ),
    Preset("gemini-openai", "openai", "https://generativelanguage.googleapis.com/v1beta/openai"),
    Preset("vllm", "openai", "http://127.0.0.1:8000/v1"),
    Preset("ollama", "openai", "http://127.0.0.1:11434/v1"),
    Preset("llama.cpp", "openai", "http://127.0.0.1:8080/v1"),
    Preset("compatible", "openai", ""),
)
"""Sources: each provider's reference of its API, as of 2026."""

BY_NAME = {preset.name: preset for preset in PRESETS}
