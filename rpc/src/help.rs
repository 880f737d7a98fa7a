//! `help`, out of the comments of [`crate::api`]: what the traits say is what people read.
//!
//! The source of that module is compiled in as text and read line by line; so a method cannot be without help, and the
//! names of its parameters, by which calls are checked, cannot differ from those in its signature.

use std::sync::LazyLock;

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Whether it can be left out.
    pub optional: bool,
}

/// A method, as its comment and signature tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// Its group: the first word of the trait's comment.
    pub group: String,
    /// Its parameters by position.
    pub parameters: Vec<Parameter>,
    /// Its comment.
    pub doc: String,
}

static METHODS: LazyLock<Vec<Method>> = LazyLock::new(|| read(include_str!("api.rs")));

/// Every method, group by group.
#[must_use]
pub fn methods() -> &'static [Method] {
    &METHODS
}

/// The method of that name.
#[must_use]
pub fn method(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

impl Method {
    /// Name and parameters, those that can be left out in parentheses: `name_show name ( height )`.
    #[must_use]
    pub fn usage(&self) -> String {
        let mut out = self.name.clone();
        for parameter in &self.parameters {
            let Parameter { name, optional } = parameter;
            out.push_str(&if *optional { format!(" ( {name} )") } else { format!(" {name}") });
        }
        out
    }

    /// The first sentence of its comment.
    #[must_use]
    pub fn summary(&self) -> &str {
        self.doc.split("\n\n").next().unwrap_or_default()
    }

    /// The parameters of its example, a JSON array.
    #[must_use]
    pub fn example(&self) -> Option<&str> {
        self.doc
            .lines()
            .last()?
            .strip_prefix("Example: `")?
            .strip_suffix('`')?
            .strip_prefix(&self.name)?
            .strip_prefix(' ')
    }
}

/// The list of all methods, a line each.
#[must_use]
pub fn list() -> String {
    let mut out = String::new();
    let mut group = "";
    for method in methods() {
        if method.group != group {
            group = &method.group;
            let gap = if out.is_empty() { "" } else { "\n" };
            out.push_str(&format!("{gap}== {group} ==\n"));
        }
        out.push_str(&format!("{:<19} {}\n", method.name, method.summary()));
    }
    out.push_str("\n`help METHOD` explains one.");
    out
}

/// The whole help of a method.
#[must_use]
pub fn page(method: &Method) -> String {
    format!("{}\n\n{}", method.usage(), method.doc)
}

fn read(source: &str) -> Vec<Method> {
    let (mut methods, mut group, mut doc, mut pending) = (Vec::new(), String::new(), String::new(), None::<Method>);
    let mut signature = String::new();
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            doc.push_str(text.strip_prefix(' ').unwrap_or(text));
            doc.push('\n');
        } else if line.starts_with("pub trait") {
            group = doc.trim_end().trim_end_matches('.').to_owned();
            doc.clear();
        } else if let Some(rest) = line.strip_prefix("#[method(name = \"") {
            let name = rest.split('"').next().unwrap_or_default().to_owned();
            let doc = std::mem::take(&mut doc).trim_end().to_owned();
            pending = Some(Method { name, group: group.clone(), parameters: Vec::new(), doc });
            signature.clear();
        } else if let Some(method) = &mut pending {
            signature.push_str(line);
            signature.push(' ');
            if line.ends_with(';') {
                method.parameters = parameters(&signature);
                methods.extend(pending.take());
            }
        }
    }
    methods
}

/// `name: Type` pairs after `&self`.
fn parameters(signature: &str) -> Vec<Parameter> {
    let inside = signature.split_once("&self").map_or("", |(_, rest)| rest);
    let inside = inside.split_once(") ->").map_or(inside, |(inside, _)| inside);
    let pairs = inside.split(", ").filter_map(|pair| pair.split_once(": "));
    pairs
        .map(|(name, ty)| Parameter {
            name: name.trim_matches([',', ' ']).to_owned(),
            optional: ty.starts_with("Option<"),
        })
        .collect()
}
