//! OTLP over gRPC: the Collector's service definitions on top of [`Receiver`].

use std::sync::Arc;

use leakline_otlp::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse, ExportTraceServiceRequest,
    ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use tonic::codec::CompressionEncoding;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status};

use crate::receiver::{Export, Receiver};

/// Both services, sharing one receiver.
#[derive(Clone)]
struct GrpcReceiver(Arc<Receiver>);

/// The routes of the OTLP/gRPC port. `request_limit` holds before and after decompression. The
/// token is asked for before anything is read of a message.
pub(crate) fn routes(receiver: Arc<Receiver>, request_limit: usize) -> tonic::service::Routes {
    let token = receiver.token.clone();
    let authorise = move |request: Request<()>| {
        let header = request.metadata().get("authorization");
        if token.admits(header.map(|value| value.as_bytes())) {
            Ok(request)
        } else {
            let message = "a bearer token is needed: send authorization: Bearer TOKEN";
            Err(Status::unauthenticated(message))
        }
    };
    let service = GrpcReceiver(receiver);
    let metrics = MetricsServiceServer::new(service.clone())
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(request_limit);
    let traces = TraceServiceServer::new(service)
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(request_limit);
    tonic::service::Routes::new(InterceptedService::new(metrics, authorise.clone()))
        .add_service(InterceptedService::new(traces, authorise))
}

impl GrpcReceiver {
    async fn receive<E: Export>(
        &self,
        request: Request<E>,
    ) -> Result<Response<E::Response>, Status> {
        let receiver = self.0.clone();
        match tokio::task::spawn_blocking(move || receiver.receive(request.get_ref())).await {
            Ok(Ok(response)) => Ok(Response::new(response)),
            // "unavailable" tells the sender to try again
            Ok(Err(error)) => Err(Status::unavailable(error.to_string())),
            Err(error) => Err(Status::internal(error.to_string())),
        }
    }
}

#[tonic::async_trait]
impl MetricsService for GrpcReceiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.receive(request).await
    }
}

#[tonic::async_trait]
impl TraceService for GrpcReceiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.receive(request).await
    }
}
