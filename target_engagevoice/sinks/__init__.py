"""From the SDK's messages to this package's flow: a record's ways through the stream maps, and the sink behind each."""

from target_engagevoice.sinks.lead_sink import METADATA_PREFIX, READ_RECORD, LeadSink, batch_timer
from target_engagevoice.sinks.stream_maps import Mapper
from target_engagevoice.sinks.ways import Way, ways_of

__all__ = ["METADATA_PREFIX", "READ_RECORD", "LeadSink", "Mapper", "Way", "batch_timer", "ways_of"]
