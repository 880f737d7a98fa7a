//! What stands before every request: the Host and Origin headers, `GET /health` and `GET /metrics`, the cookie.
//!
//! A page in a browser can make its own domain name point here (DNS rebinding, easily so with a `.p2p` name); the Host
//! header then still says that name, and is refused.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, ORIGIN, WWW_AUTHENTICATE};
use http::{Method, StatusCode, Uri};
use jsonrpsee::core::BoxError;
use jsonrpsee::server::{HttpBody, HttpRequest, HttpResponse};
use tower::{Layer, Service};

use crate::auth::Cookie;
use crate::metrics;
use crate::node::NotReady;

/// How long a wrong cookie waits for its answer; others are not held up by it.
const DELAY: Duration = Duration::from_millis(250);

/// What every request is held against.
pub(crate) struct Rules {
    /// Hosts that requests may be for, in lower case, IPv6 in brackets.
    pub(crate) hosts: Vec<String>,
    /// Who may come in.
    pub(crate) cookie: Arc<Cookie>,
    /// Whether the chain is usable.
    pub(crate) ready: Box<dyn Fn() -> Result<(), NotReady> + Send + Sync>,
    /// What a monitor watches.
    pub(crate) metrics: Box<dyn Fn() -> MetricsFuture + Send + Sync>,
}

/// The text of the metrics, when it is there.
pub(crate) type MetricsFuture = Pin<Box<dyn Future<Output = Result<String, NotReady>> + Send>>;

/// The hosts that are allowed: this machine by its usual names, the bound address, and `configured`.
pub(crate) fn hosts(bound: SocketAddr, configured: &[String]) -> Vec<String> {
    let address = match bound.ip() {
        ip if ip.is_unspecified() => None,
        IpAddr::V4(ip) => Some(ip.to_string()),
        IpAddr::V6(ip) => Some(format!("[{ip}]")),
    };
    let usual = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
    usual.into_iter().chain(address).chain(configured.iter().map(|host| host.to_ascii_lowercase())).collect()
}

/// Makes [`Guarded`] services.
#[derive(Clone)]
pub(crate) struct Guard(pub(crate) Arc<Rules>);

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, rules: self.0.clone() }
    }
}

/// A service behind the rules.
#[derive(Clone)]
pub(crate) struct Guarded<S> {
    inner: S,
    rules: Arc<Rules>,
}

type ResponseFuture = Pin<Box<dyn Future<Output = Result<HttpResponse, BoxError>> + Send>>;

impl<S, B> Service<HttpRequest<B>> for Guarded<S>
where
    S: Service<HttpRequest<B>, Response = HttpResponse, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = HttpResponse;
    type Error = BoxError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: HttpRequest<B>) -> ResponseFuture {
        match self.rules.verdict(request.method(), request.uri(), request.headers()) {
            Verdict::Pass => {
                // It has done its work. What comes after logs requests with their headers.
                request.headers_mut().remove(AUTHORIZATION);
                Box::pin(self.inner.call(request))
            }
            Verdict::Answer(status, text) => Box::pin(async move { Ok(answer(status, text)) }),
            Verdict::Metrics => {
                let text = (self.rules.metrics)();
                Box::pin(async move {
                    Ok(match text.await {
                        Ok(text) => body(StatusCode::OK, metrics::CONTENT_TYPE, text),
                        Err(reason) => answer(StatusCode::SERVICE_UNAVAILABLE, reason.to_string()),
                    })
                })
            }
            Verdict::WrongCookie => Box::pin(async {
                tokio::time::sleep(DELAY).await;
                Ok(answer(StatusCode::UNAUTHORIZED, "wrong cookie or password".to_owned()))
            }),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Pass,
    Answer(StatusCode, String),
    Metrics,
    WrongCookie,
}

impl Rules {
    fn verdict(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Verdict {
        let named = headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or_default());
        let named: Vec<&str> = named.chain(uri.authority().map(http::uri::Authority::as_str)).collect();
        if named.is_empty() || !named.iter().all(|host| self.allows(host)) {
            let text = "Host header is not allowed; add it to rpc.allowed_hosts if it is this machine's";
            return Verdict::Answer(StatusCode::FORBIDDEN, text.to_owned());
        }
        let foreign = |origin: &http::HeaderValue| {
            let host = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
            !host.is_some_and(|(_, host)| self.allows(host))
        };
        if headers.get_all(ORIGIN).iter().any(foreign) {
            return Verdict::Answer(StatusCode::FORBIDDEN, "Origin is not allowed".to_owned());
        }
        if method == Method::GET && uri.path() == "/health" {
            return match (self.ready)() {
                Ok(()) => Verdict::Answer(StatusCode::OK, "ok".to_owned()),
                Err(reason) => Verdict::Answer(StatusCode::SERVICE_UNAVAILABLE, reason.to_string()),
            };
        }
        if method == Method::GET && uri.path() == "/metrics" {
            return Verdict::Metrics;
        }
        match headers.get(AUTHORIZATION) {
            Some(header) if self.cookie.admits(header) => Verdict::Pass,
            Some(_) => Verdict::WrongCookie,
            None => Verdict::Answer(StatusCode::UNAUTHORIZED, "the node's cookie is needed".to_owned()),
        }
    }

    fn allows(&self, host_and_port: &str) -> bool {
        let host = host_of(host_and_port).to_ascii_lowercase();
        self.hosts.contains(&host)
    }
}

/// `host` of `host:port`; an IPv6 address keeps its brackets.
fn host_of(text: &str) -> &str {
    match text.find(']') {
        Some(end) if text.starts_with('[') => text.get(..=end).unwrap_or(text),
        _ => text.split(':').next().unwrap_or(text),
    }
}

fn answer(status: StatusCode, text: String) -> HttpResponse {
    let mut response = body(status, "text/plain; charset=utf-8", text + "\n");
    if status == StatusCode::UNAUTHORIZED {
        let basic = http::HeaderValue::from_static("Basic realm=\"dotp2p\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, basic);
    }
    response
}

fn body(status: StatusCode, form: &'static str, text: String) -> HttpResponse {
    let mut response = HttpResponse::new(HttpBody::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(form));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_without_ports() {
        let cases = [
            ("localhost:9354", "localhost"),
            ("[::1]:9354", "[::1]"),
            ("[::1]", "[::1]"),
            ("a.p2p", "a.p2p"),
            ("", ""),
        ];
        for (text, host) in cases {
            assert_eq!(host_of(text), host);
        }
    }

    /// Found by trying: at the most verbose level the log held it.
    #[tokio::test]
    async fn the_cookie_goes_no_further() {
        let dir = tempfile::tempdir().unwrap();
        let cookie = Arc::new(Cookie::create(&dir.path().join("cookie")).unwrap());
        let credentials = std::fs::read_to_string(dir.path().join("cookie")).unwrap();
        let rules = Rules {
            hosts: vec!["localhost".to_owned()],
            cookie,
            ready: Box::new(|| Ok(())),
            metrics: Box::new(|| Box::pin(async { Ok(String::new()) })),
        };
        let inner = tower::service_fn(|request: HttpRequest<HttpBody>| async move {
            let mut response = HttpResponse::new(HttpBody::empty());
            *response.headers_mut() = request.headers().clone();
            Ok::<_, BoxError>(response)
        });
        let mut guarded = Guard(Arc::new(rules)).layer(inner);
        let basic = crate::auth::basic(&credentials).unwrap();
        let mut request = HttpRequest::new(HttpBody::empty());
        request.headers_mut().insert(HOST, http::HeaderValue::from_static("localhost"));
        request.headers_mut().insert(AUTHORIZATION, basic);
        let response = guarded.call(request).await.unwrap();
        let seen: Vec<_> = response.headers().keys().collect();
        assert_eq!((response.status(), seen), (StatusCode::OK, vec![&HOST]), "the headers that came through");
    }

    #[test]
    fn the_bound_address_is_a_host_unless_it_is_all_of_them() {
        let hosts = |bound: &str| hosts(bound.parse().unwrap(), &["Node.LAN".to_owned()]);
        assert_eq!(hosts("192.0.2.7:1"), ["localhost", "127.0.0.1", "[::1]", "192.0.2.7", "node.lan"]);
        assert_eq!(hosts("[2001:db8::7]:1")[3], "[2001:db8::7]");
        assert_eq!(hosts("0.0.0.0:1").len(), 4);
    }
}
