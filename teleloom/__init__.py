"""Ground floor: what every room of the station shares.

Clock, messages, bus, configuration and plug-ins; the episode format with its writer and reader; the catalog of
episodes and of what people said about them. Nothing here imports a room above.
"""

__version__ = "0.1.0"
