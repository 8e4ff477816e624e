"""What differs between provider APIs, one file per API; the core never says "openai".

base        what the core may ask of a dialect;  usual   what most of them answer
table       the dialects by name
allow       which methods an allowlist grants a path

openai      chat, completions, responses, embeddings and the rest of that family; of its answers and streams:
            openai_chat (chunks), openai_events (typed events), openai_usage (the object `usage` in all spellings)
anthropic   messages; of its answers and streams: anthropic_messages
gemini      generateContent; of its answers and streams: gemini_answers; of models beside the path: gemini_models
azure_paths paths of Azure's dated API, in OpenAI's own words
generic     any HTTP API: passed through, usage read where it has a common shape
management  the paths of our own control process, for the errors that a worker gives there

limits      how the state of a limit is told
lenient     JSON read by shape, so that a surprising type costs only its own field
texts       the texts inside requests and answers that a tokenizer would see
service     which service tier an answer says it was served by
findings    what a stream has told so far: what all readers of streams fill in
capture     the text of a stream, kept within a bound
steady      events that differ in nothing but their text, read many at once
first_event whether a stream begins with an error
silent      the reader of streams that nothing is known about
"""
