//! As much of named.conf's syntax as is needed to find a block: comments, strings and braces.

/// A text, and the same with comments and the insides of strings as spaces, byte for byte.
pub(super) struct Masked<'t> {
    text: &'t str,
    mask: Vec<u8>,
}

/// What the place in a text is part of.
enum Part {
    Code,
    Line,
    /// The first byte after `/`, which ends nothing: `/*/` is no whole comment.
    Open,
    Block,
    Quote,
}

impl<'t> Masked<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let mut part = Part::Code;
        let mut mask = Vec::with_capacity(text.len());
        let mut before = 0;
        for (at, byte) in text.bytes().enumerate() {
            let next = text.as_bytes().get(at + 1).copied().unwrap_or(0);
            let (shown, then) = match (&part, byte, next) {
                (Part::Code, b'#', _) | (Part::Code, b'/', b'/') => (b' ', Part::Line),
                (Part::Code, b'/', b'*') => (b' ', Part::Open),
                (Part::Open, ..) => (b' ', Part::Block),
                (Part::Code, b'"', _) => (byte, Part::Quote),
                (Part::Code, ..) => (byte, Part::Code),
                (Part::Line, b'\n', _) => (byte, Part::Code),
                (Part::Line, ..) => (b' ', Part::Line),
                (Part::Block, b'/', _) if before == b'*' => (b' ', Part::Code),
                (Part::Block, ..) => (if byte == b'\n' { byte } else { b' ' }, Part::Block),
                (Part::Quote, b'"', _) if before != b'\\' => (byte, Part::Code),
                (Part::Quote, ..) => (b' ', Part::Quote),
            };
            mask.push(shown);
            before = if matches!(part, Part::Open) { 0 } else { byte };
            part = then;
        }
        Self { text, mask }
    }

    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// The words of the code with the byte each begins at and how many braces are open there.
    fn words(&self) -> impl Iterator<Item = (usize, usize, &[u8])> {
        let mut depth = 0_usize;
        let mut at = 0;
        std::iter::from_fn(move || {
            loop {
                match *self.mask.get(at)? {
                    b'{' => depth += 1,
                    b'}' => depth = depth.saturating_sub(1),
                    byte if is_word(byte) => {
                        let word = self.mask.get(at..)?.split(|byte| !is_word(*byte)).next()?;
                        let begin = at;
                        at += word.len();
                        return Some((begin, depth, word));
                    }
                    _ => {}
                }
                at += 1;
            }
        })
    }

    /// Where the inside of the first outermost block with this word before it begins, in bytes.
    pub(super) fn block(&self, name: &str) -> Option<usize> {
        let (begin, ..) = self.words().find(|(_, depth, word)| *depth == 0 && *word == name.as_bytes())?;
        let open = self.mask.get(begin..)?.iter().position(|byte| *byte == b'{')?;
        Some(begin + open + 1)
    }

    /// What is in the first braces after a word, wherever it stands in the code.
    pub(super) fn list(&self, name: &str) -> Option<&'t str> {
        let (begin, ..) = self.words().find(|(_, _, word)| *word == name.as_bytes())?;
        let open = begin + self.mask.get(begin..)?.iter().position(|byte| *byte == b'{')? + 1;
        let len = self.mask.get(open..)?.iter().position(|byte| *byte == b'}')?;
        self.text.get(open..open + len)
    }

    /// Whether a file is included.
    pub(super) fn includes(&self, path: &str) -> bool {
        let quoted = format!("\"{path}\"");
        let is_it = |begin: usize| {
            self.text.get(begin + "include".len()..).is_some_and(|rest| rest.trim_start().starts_with(&quoted))
        };
        self.words().any(|(begin, _, word)| word == b"include" && is_it(begin))
    }

    /// The line on which a zone of this name begins, if there is one.
    pub(super) fn zone(&self, name: &str) -> Option<&'t str> {
        let is_it = |begin: usize| {
            let rest = self.text.get(begin + "zone".len()..).unwrap_or_default().trim_start();
            let quoted = rest.strip_prefix('"').and_then(|rest| rest.split('"').next());
            let zone = quoted.or_else(|| rest.split(|letter: char| letter.is_whitespace() || letter == '{').next());
            zone.is_some_and(|zone| zone.trim_end_matches('.').eq_ignore_ascii_case(name))
        };
        let (begin, ..) = self.words().find(|(begin, _, word)| *word == b"zone" && is_it(*begin))?;
        self.text.get(begin..)?.lines().next().map(str::trim)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_no_code() {
        let text =
            "// options {\n/* options { */ # options {\nzone \"options {\" { type hint; };\noptions {\n\ta b; };\n";
        let masked = Masked::new(text);
        assert_eq!(masked.mask.len(), text.len());
        let begin = masked.block("options").unwrap();
        assert_eq!(text.get(begin..), Some("\n\ta b; };\n"));
        assert_eq!((masked.list("zone"), masked.list("p2p")), (Some(" type hint; "), None));
        assert_eq!(Masked::new("/*/ options { */").block("options"), None);
        assert_eq!(Masked::new("a { options { }; };").block("options"), None);
        assert_eq!(Masked::new("options /* { */ {").block("options"), Some(17));
        assert_eq!(Masked::new("options").block("options"), None);
        assert_eq!(Masked::new("é \"é\" options{").block("options"), Some(16));
    }

    #[test]
    fn includes() {
        let masked = Masked::new("include \"/a\";\n// include \"/b\";\nx { include\n\"/c\"; };");
        assert!(masked.includes("/a") && masked.includes("/c"));
        assert!(!masked.includes("/b") && !masked.includes("/"));
    }

    #[test]
    fn zones() {
        for text in ["zone \"p2p\" { };", "view x { zone p2p. { }; };", "zone\n  \"P2P.\" IN {};", "zone p2p{};"] {
            assert!(Masked::new(text).zone("p2p").is_some(), "{text}");
        }
        for text in ["// zone \"p2p\" {}", "zone \"x.p2p\" {};", "\"zone p2p\"", "zone", "zones p2p {}"] {
            assert_eq!(Masked::new(text).zone("p2p"), None, "{text}");
        }
    }
}
