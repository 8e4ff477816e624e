"""What models cost: an organisation's own price before the configuration's, and that before the bundled table's.

catalogue   the bundled table of genai-prices, read offline → our whole-number prices
upstream    which provider of that table one of ours is, and what it calls a model there
declared    prices of the configuration file
table       both of these, at one moment
rates       what targets cost, for models whose target is the cheapest one
directory   answers the workers' questions: all sources in their order, a bounded cache, changes by time
drift       our costs against those that providers reported
"""
