"""Each connected shop is one dynamic partition; its key is the shop's permanent domain."""

import dagster as dg

shops = dg.DynamicPartitionsDefinition(name="shops")
