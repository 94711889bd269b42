//! Nodes.

use axum::Json;
use axum::extract::State;
use twin_api::{NodePage, NodeView, Problem, ProblemKind};
use twin_core::NodeName;

use super::answer::Failure;
use super::parameters::{NoParameters, NodePath, Strict};
use super::{Rest, views};

/// Lists all nodes in order of name.
#[utoipa::path(get, path = "/api/v1/nodes", tag = "nodes", responses(
    (status = 200, body = NodePage),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    Strict(NoParameters {}): Strict<NoParameters>,
) -> Result<Json<NodePage>, Failure> {
    let rows = rest.store.nodes().await?;
    Ok(Json(NodePage { items: rows.iter().map(|row| views::node(row, &rest.links)).collect() }))
}

/// Shows one node.
#[utoipa::path(get, path = "/api/v1/nodes/{node}", tag = "nodes",
    params(("node" = String, Path, description = "The node's name")),
    responses(
        (status = 200, body = NodeView),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn one(
    State(rest): State<Rest>,
    NodePath(node): NodePath,
    Strict(NoParameters {}): Strict<NoParameters>,
) -> Result<Json<NodeView>, Failure> {
    match rest.store.node(&node).await? {
        Some(row) => Ok(Json(views::node(&row, &rest.links))),
        None => Err(unknown(&node)),
    }
}

pub(crate) fn unknown(node: &NodeName) -> Failure {
    let detail = format!("no node {node} has ever joined: GET /api/v1/nodes lists those that have");
    Failure::new(ProblemKind::UnknownNode, detail)
}
