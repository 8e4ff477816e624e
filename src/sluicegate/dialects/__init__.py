"""What differs between provider APIs, one file per API; the core never says "openai".

base        what the core may ask of a dialect
openai      chat, completions, responses, embeddings and the rest of that family
anthropic   messages
gemini      generateContent
generic     any HTTP API: passed through, nothing known
table       the dialects by name
"""
