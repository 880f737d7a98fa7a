//! Calls in memory, and their transcript.

use std::sync::Arc;

use dotp2p_rpc::Rpc;
use jsonrpsee::RpcModule;
use serde_json::{Value, json};

use crate::fake_node::FakeNode;

/// Calls over a node, written down as they are made.
pub struct Session {
    module: RpcModule<()>,
    transcript: String,
}

impl Session {
    pub fn new(node: &Arc<FakeNode>) -> Self {
        Self { module: Rpc::new(node.clone()).module().unwrap(), transcript: String::new() }
    }

    /// The reply's text.
    pub async fn raw(&self, method: &str, params: &str) -> String {
        let request = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        self.module.raw_json_request(&request, 1).await.unwrap().0.get().to_owned()
    }

    /// Calls, and writes down request and reply.
    pub async fn call(&mut self, method: &str, params: &str) {
        let reply = self.raw(method, params).await;
        let body = reply.strip_prefix(r#"{"jsonrpc":"2.0","id":1,"#).and_then(|reply| reply.strip_suffix('}'));
        let body = indent(body.unwrap_or(&reply)).replace(env!("CARGO_PKG_VERSION"), "VERSION");
        self.transcript.push_str(&format!("> {method} {params}\n{body}\n\n"));
    }

    /// The result, or a panic that shows the error.
    pub async fn result(&self, method: &str, params: Value) -> Value {
        let reply: Value = serde_json::from_str(&self.raw(method, &params.to_string()).await).unwrap();
        assert_eq!(reply.get("error"), None, "{method} {params}");
        reply["result"].clone()
    }

    /// The error's number, text and data.
    pub async fn error(&self, method: &str, params: Value) -> (i64, String, Value) {
        let reply: Value = serde_json::from_str(&self.raw(method, &params.to_string()).await).unwrap();
        let error = &reply["error"];
        assert!(error.is_object(), "{method} {params} -> {reply}");
        let data = error.get("data").cloned().unwrap_or_else(|| json!(null));
        (error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned(), data)
    }

    pub fn method_names(&self) -> Vec<&'static str> {
        self.module.method_names().collect()
    }

    pub fn transcript(self) -> String {
        self.transcript
    }
}

/// JSON text over several lines, every number as it was written.
fn indent(json: &str) -> String {
    let (mut out, mut depth, mut quoted, mut escaped) = (String::new(), 0usize, false, false);
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        if quoted {
            out.push(character);
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        let line = |out: &mut String, depth: usize| out.push_str(&format!("\n{}", "  ".repeat(depth)));
        match character {
            '{' | '[' if characters.peek().is_some_and(|next| !matches!(next, '}' | ']')) => {
                depth += 1;
                out.push(character);
                line(&mut out, depth);
            }
            '}' | ']' if !out.ends_with(['{', '[']) => {
                depth -= 1;
                line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(character);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                quoted = character == '"';
                out.push(character);
            }
        }
    }
    out
}
