//! A change as people read it.

use similar::TextDiff;

/// What differs between two texts, as `diff -u` writes it; bytes that are no text are shown as `�`.
///
/// - `now`, `then`: a file's bytes; `None`: there is no such file.
#[must_use]
pub fn unified_diff(path: &str, now: Option<&[u8]>, then: Option<&[u8]>) -> String {
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let title = |bytes: Option<&[u8]>| if bytes.is_some() { path } else { "/dev/null" }.to_owned();
    let (now_text, then_text) = (text(now), text(then));
    let diff = TextDiff::from_lines(&now_text, &then_text);
    diff.unified_diff().context_radius(3).header(&title(now), &title(then)).to_string()
}
