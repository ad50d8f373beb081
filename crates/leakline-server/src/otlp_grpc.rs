//! OTLP over gRPC: the Collector's service definitions on top of [`Receiver`].

use std::sync::Arc;

use leakline_otlp::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse, ExportTraceServiceRequest,
    ExportTraceServiceResponse, MetricsService, MetricsServiceServer, TraceService,
    TraceServiceServer,
};
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Status};

use crate::receiver::{Export, Receiver};

/// Both services, sharing one receiver.
#[derive(Clone)]
struct GrpcReceiver(Arc<Receiver>);

/// The routes of the OTLP/gRPC port. `request_limit` holds before and after decompression.
pub(crate) fn routes(receiver: Arc<Receiver>, request_limit: usize) -> tonic::service::Routes {
    let service = GrpcReceiver(receiver);
    let metrics = MetricsServiceServer::new(service.clone())
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(request_limit);
    let traces = TraceServiceServer::new(service)
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(request_limit);
    tonic::service::Routes::new(metrics).add_service(traces)
}

impl GrpcReceiver {
    async fn receive<E: Export>(
        &self,
        request: Request<E>,
    ) -> Result<Response<E::Response>, Status> {
        let authorization = request.metadata().get("authorization");
        if !self
            .0
            .token
            .admits(authorization.map(|value| value.as_bytes()))
        {
            let message = "a bearer token is needed: send authorization: Bearer TOKEN";
            return Err(Status::unauthenticated(message));
        }
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
