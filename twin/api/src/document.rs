//! What is true of every route in the OpenAPI documents of edge and cloud.

use utoipa::Modify;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::response::Response;
use utoipa::openapi::{Content, OpenApi, Ref, RefOr};

use crate::problem::Problem;

/// Every operation has a name of its own, every answer a description; a problem has a media type of its own, and any route
/// may answer with one.
#[derive(Debug)]
pub struct EveryRoute;

const PROBLEM: &str = "#/components/schemas/Problem";
const JSON: &str = "application/json";

impl Modify for EveryRoute {
    fn modify(&self, document: &mut OpenApi) {
        let paths = document.paths.paths.iter_mut();
        for (name, operation) in paths.flat_map(|(path, item)| operations(path, item)) {
            operation.operation_id = Some(name);
            let responses = &mut operation.responses.responses;
            for (status, response) in responses.iter_mut() {
                let RefOr::T(response) = response else { continue };
                if is_problem(response)
                    && let Some(content) = response.content.shift_remove(JSON)
                {
                    response.content.insert(Problem::MEDIA_TYPE.to_owned(), content);
                }
                if response.description.is_empty() {
                    let success = status.starts_with('2');
                    response.description = if success { "Done" } else { "Not done; says why" }.to_owned();
                }
            }
            responses.entry("default".to_owned()).or_insert_with(|| {
                let content = Content::new(Some(RefOr::Ref(Ref::new(PROBLEM))));
                let mut response = Response::new("Not done; says why");
                response.content.insert(Problem::MEDIA_TYPE.to_owned(), RefOr::T(content));
                RefOr::T(response)
            });
        }
    }
}

fn is_problem(response: &Response) -> bool {
    let Some(RefOr::T(content)) = response.content.get(JSON) else { return false };
    matches!(&content.schema, Some(RefOr::Ref(schema)) if schema.ref_location == PROBLEM)
}

/// The operations of a path, each with a name: `GET /api/v1/devices/{namespace}/{name}` is `get_devices_namespace_name`.
fn operations<'a>(path: &str, item: &'a mut PathItem) -> impl Iterator<Item = (String, &'a mut Operation)> {
    let words: Vec<&str> = path
        .trim_start_matches("/api/v1")
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let path = words.join("_");
    let all = [
        ("get", &mut item.get),
        ("put", &mut item.put),
        ("post", &mut item.post),
        ("delete", &mut item.delete),
        ("patch", &mut item.patch),
    ];
    all.into_iter().filter_map(move |(method, operation)| {
        operation.as_mut().map(|operation| (format!("{method}_{path}"), operation))
    })
}
