//! Zone file text cut into entries of tokens: comments, quotes, parentheses, blank owners (RFC 1035, 5.1).

use super::error::{Problem, ZoneFileError};

/// A word or a quoted string; escapes are still in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// Without its quotes, but `key="value"` whole.
    pub(super) text: &'a str,
    /// Whether it stood in quotes.
    pub(super) quoted: bool,
    /// Where.
    pub(super) at: Place,
}

/// Line and column, from 1; the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A directive or record, with at least one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) tokens: Vec<Token<'a>>,
    /// Whether it begins with a blank: its owner is the one before.
    pub(super) indented: bool,
    /// Where it ends.
    pub(super) end: Place,
}

impl Place {
    /// `problem` here.
    pub(super) fn fail(self, problem: Problem) -> ZoneFileError {
        ZoneFileError::Line { line: self.line, column: self.column, problem }
    }
}

impl Token<'_> {
    /// The error that this is not `expected`.
    pub(super) fn is_not(&self, expected: &'static str) -> ZoneFileError {
        self.at.fail(Problem::Value { text: self.text.to_owned(), expected })
    }
}

/// The tokens of an entry, one taken after another.
pub(super) struct Cursor<'t, 'a> {
    tokens: core::slice::Iter<'t, Token<'a>>,
    end: Place,
}

impl<'t, 'a> Cursor<'t, 'a> {
    pub(super) fn new(entry: &'t Entry<'a>) -> Self {
        Self { tokens: entry.tokens.iter(), end: entry.end }
    }

    /// The next token, not taken.
    pub(super) fn peek(&self) -> Option<&'t Token<'a>> {
        self.tokens.as_slice().first()
    }

    /// The next token, if one is left.
    pub(super) fn pop(&mut self) -> Option<&'t Token<'a>> {
        self.tokens.next()
    }

    /// The next token, which must be there: `what` says what it would be.
    pub(super) fn take(&mut self, what: &'static str) -> Result<&'t Token<'a>, ZoneFileError> {
        self.tokens.next().ok_or_else(|| self.missing(what))
    }

    /// Where the next token stands, or the entry ends.
    pub(super) fn place(&self) -> Place {
        self.peek().map_or(self.end, |token| token.at)
    }

    /// The error that `what` should follow.
    pub(super) fn missing(&self, what: &'static str) -> ZoneFileError {
        self.end.fail(Problem::Missing(what))
    }

    /// Nothing may be left.
    pub(super) fn finish(&self) -> Result<(), ZoneFileError> {
        match self.peek() {
            Some(token) => Err(token.at.fail(Problem::Extra(token.text.to_owned()))),
            None => Ok(()),
        }
    }
}

/// Cuts `text` into entries; empty lines and comments are gone.
pub(super) fn entries(text: &str) -> Result<Vec<Entry<'_>>, ZoneFileError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lexer = Lexer { text, offset: 0, at: Place { line: 1, column: 1 } };
    let mut out = Vec::new();
    while lexer.offset < text.len() {
        let entry = lexer.entry()?;
        if !entry.tokens.is_empty() {
            out.push(entry);
        }
    }
    Ok(out)
}

struct Lexer<'a> {
    text: &'a str,
    offset: usize,
    at: Place,
}

impl<'a> Lexer<'a> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.offset..)?.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.offset += next.len_utf8();
        self.at = match next {
            '\n' => Place { line: self.at.line + 1, column: 1 },
            _ => Place { column: self.at.column + 1, ..self.at },
        };
        Some(next)
    }

    /// Reads up to the end of a line outside parentheses.
    fn entry(&mut self) -> Result<Entry<'a>, ZoneFileError> {
        let indented = matches!(self.peek(), Some(' ' | '\t'));
        let mut tokens = Vec::new();
        let mut open = Vec::new();
        loop {
            let end = self.at;
            match self.peek() {
                None | Some('\n') => {
                    let last = self.bump().is_none();
                    match open.last() {
                        None => return Ok(Entry { tokens, indented, end }),
                        Some(&at) if last => return Err(Place::fail(at, Problem::OpenParenthesis)),
                        Some(_) => {}
                    }
                }
                Some(';') => while self.peek().is_some_and(|next| next != '\n') && self.bump().is_some() {},
                Some('(') => {
                    open.push(end);
                    self.bump();
                }
                Some(')') => {
                    open.pop().ok_or_else(|| end.fail(Problem::StrayParenthesis))?;
                    self.bump();
                }
                Some('"') => {
                    self.bump();
                    let start = self.offset;
                    let stop = self.quote(end)?;
                    let text = self.text.get(start..stop).unwrap_or_default();
                    tokens.push(Token { text, quoted: true, at: end });
                }
                Some(next) if next.is_ascii_whitespace() => {
                    self.bump();
                }
                Some(_) => tokens.push(self.word()?),
            }
        }
    }

    /// Reads to the quote that closes one opened at `opened`, and gives its offset.
    fn quote(&mut self, opened: Place) -> Result<usize, ZoneFileError> {
        loop {
            let stop = self.offset;
            match self.bump() {
                Some('"') => return Ok(stop),
                Some('\\') if self.peek().is_some_and(|next| next != '\n') => {
                    self.bump();
                }
                None | Some('\n') => return Err(opened.fail(Problem::OpenQuote)),
                Some(_) => {}
            }
        }
    }

    fn word(&mut self) -> Result<Token<'a>, ZoneFileError> {
        let (at, start) = (self.at, self.offset);
        let mut before = ' ';
        while let Some(next) = self.peek() {
            match next {
                ';' | '(' | ')' => break,
                '"' if before == '=' => {
                    let opened = self.at;
                    self.bump();
                    self.quote(opened)?;
                    break;
                }
                '"' => return Err(self.at.fail(Problem::InnerQuote)),
                _ if next.is_ascii_whitespace() => break,
                '\\' => {
                    self.bump();
                    if self.peek().is_some_and(|escaped| escaped != '\n') {
                        self.bump();
                    }
                }
                _ => {
                    self.bump();
                }
            }
            before = next;
        }
        Ok(Token { text: self.text.get(start..self.offset).unwrap_or_default(), quoted: false, at })
    }
}
