//! Refuses parameters that a method does not have. Without this, a misspelt name would be taken for one left out.

use std::collections::BTreeMap;

use jsonrpsee::MethodResponse;
use jsonrpsee::core::middleware::{Batch, BatchEntry, BatchEntryErr, Notification, ResponseFuture, RpcServiceT};
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned, Request};
use serde::de::IgnoredAny;

use crate::error::code;
use crate::help::{self, Method};

/// A service that sees no unknown parameters.
#[derive(Clone, Debug)]
pub(crate) struct CheckParams<S>(pub(crate) S);

impl<S> RpcServiceT for CheckParams<S>
where
    S: RpcServiceT<MethodResponse = MethodResponse>,
{
    type MethodResponse = MethodResponse;
    type NotificationResponse = S::NotificationResponse;
    type BatchResponse = S::BatchResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        match check(&request) {
            Ok(()) => ResponseFuture::future(self.0.call(request)),
            Err(error) => ResponseFuture::ready(MethodResponse::error(request.id, error)),
        }
    }

    fn batch<'a>(&self, mut requests: Batch<'a>) -> impl Future<Output = S::BatchResponse> + Send + 'a {
        for entry in requests.iter_mut() {
            if let Ok(BatchEntry::Call(request)) = entry
                && let Err(error) = check(request)
            {
                *entry = Err(BatchEntryErr::new(request.id.clone(), error));
            }
        }
        self.0.batch(requests)
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = S::NotificationResponse> + Send + 'a {
        self.0.notification(notification)
    }
}

fn check(request: &Request<'_>) -> Result<(), ErrorObjectOwned> {
    let (Some(method), Some(params)) = (help::method(request.method_name()), &request.params) else { return Ok(()) };
    let problem = problem(method, params.get());
    problem.map_or(Ok(()), |problem| Err(ErrorObject::owned(code::INVALID_PARAMS, "Invalid params", Some(problem))))
}

fn problem(method: &Method, params: &str) -> Option<String> {
    let usage = method.usage();
    if let Ok(list) = serde_json::from_str::<Vec<IgnoredAny>>(params) {
        let (given, most) = (list.len(), method.parameters.len());
        return (given > most).then(|| format!("{given} parameters, expected at most {most}: {usage}"));
    }
    let Ok(named) = serde_json::from_str::<BTreeMap<String, IgnoredAny>>(params) else {
        return Some(format!("params is neither a list nor an object: {usage}"));
    };
    let known = |name: &&String| method.parameters.iter().any(|parameter| parameter.name == **name);
    let unknown = named.keys().find(|name| !known(name))?;
    Some(format!("there is no parameter {unknown:?}: {usage}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_method_takes() {
        let problem = |params| problem(help::method("name_show").unwrap(), params);
        for params in ["[]", r#"["alice"]"#, r#"["alice", 1]"#, "{}", r#"{"name":"alice","height":1}"#] {
            assert_eq!(problem(params), None, "{params}");
        }
        assert_eq!(
            problem(r#"{"name":"alice","heigth":1}"#).unwrap(),
            "there is no parameter \"heigth\": name_show name ( height )"
        );
        assert_eq!(problem(r#"["alice",1,2]"#).unwrap(), "3 parameters, expected at most 2: name_show name ( height )");
        assert_eq!(problem("5").unwrap(), "params is neither a list nor an object: name_show name ( height )");
    }
}
