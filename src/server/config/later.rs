//! Sections whose features come with later versions. Their keys are known, so that a file that lists them with their
//! defaults stays good; any other value is refused, because it would do nothing.

use super::reader::Reader;

pub(super) fn read(reader: &Reader<'_>) {
    let plugins = reader.section("plugins");
    plugins.not_yet("dir", "plugins");
    plugins.not_yet("inline_budget_us", "1000");
    plugins.not_yet("cpu_ms", "20");
    plugins.not_yet("memory_mib", "8");
}
