//! Requests within the limits of the server, each with an end.

use std::future::Future;

use mapper_sdk::Fault;
use opcua_types::{
    CallMethodRequest, CallMethodResult, DataValue, Error, ReadValueId, StatusCode, TimestampsToReturn,
    WriteValue,
};

use super::{Connection, limits::Limit};
use crate::status::{is_gone, is_too_much, service_fault, words};

impl Connection {
    /// Waits for an answer, or for the end of the connection. No answer in time ends it.
    pub(crate) async fn ask<T>(
        &self,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StatusCode> {
        let answer = tokio::select! {
            answer = request => answer,
            _ = self.end.ended() => return Err(StatusCode::BadConnectionClosed),
        };
        answer.map_err(|error| {
            let status = error.status();
            if is_gone(status) {
                self.end.end(service_fault(status, self.timeout));
            }
            status
        })
    }

    /// What a failed request means; when the connection ended, why that was.
    pub(crate) fn fault(&self, status: StatusCode) -> Fault {
        match self.end.fault() {
            Some(fault) if is_gone(status) => fault,
            Some(_) | None => service_fault(status, self.timeout),
        }
    }

    /// Asks for all `items` in as many requests as the server needs.
    pub(crate) async fn in_parts<'i, I, A, F>(
        &self,
        items: &'i [I],
        limit: &Limit,
        mut request: impl FnMut(&'i [I]) -> F,
    ) -> Result<Vec<A>, StatusCode>
    where
        F: Future<Output = Result<Vec<A>, Error>>,
    {
        let mut answers = Vec::with_capacity(items.len());
        while answers.len() < items.len() {
            let rest = &items[answers.len()..];
            let part = &rest[..rest.len().min(limit.get())];
            match self.ask(request(part)).await {
                Ok(found) if found.len() == part.len() => answers.extend(found),
                Ok(_) => return Err(StatusCode::BadUnknownResponse),
                Err(status) if is_too_much(status) && limit.handle_too_much(part.len()) => {}
                Err(status) => return Err(status),
            }
        }
        Ok(answers)
    }

    /// Reads attributes of nodes, one answer for each.
    pub(crate) async fn read(&self, nodes: &[ReadValueId]) -> Result<Vec<DataValue>, Fault> {
        self.read_status(nodes).await.map_err(|status| self.fault(status))
    }

    /// The same with the status of a failure.
    pub(crate) async fn read_status(&self, nodes: &[ReadValueId]) -> Result<Vec<DataValue>, StatusCode> {
        let read = |part| self.session.read(part, TimestampsToReturn::Both, 0.0);
        self.in_parts(nodes, &self.limits.read, read).await
    }

    /// Writes one value.
    pub(crate) async fn write(&self, value: WriteValue) -> Result<StatusCode, Fault> {
        let values = [value];
        let answers = self.ask(self.session.write(&values)).await.map_err(|status| self.fault(status))?;
        answers.first().copied().ok_or_else(|| self.fault(StatusCode::BadUnknownResponse))
    }

    /// Calls one method.
    pub(crate) async fn call(&self, request: CallMethodRequest) -> Result<CallMethodResult, Fault> {
        let answers =
            self.ask(self.session.call(vec![request])).await.map_err(|status| self.fault(status))?;
        answers.into_iter().next().ok_or_else(|| Fault::Protocol(words(StatusCode::BadUnknownResponse)))
    }
}
