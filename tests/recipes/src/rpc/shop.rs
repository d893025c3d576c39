//! A service with one method, `shop.Shop/Order`. Its messages are text. In your code,
//! tonic-prost-build generates this from `shop.proto`.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::{Buf, BufMut};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::{self, uri::PathAndQuery};
use tonic::codegen::{BoxFuture, Service};
use tonic::server::{NamedService, UnaryService};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

/// The server, with the function that carries out an order.
#[derive(Clone)]
pub(super) struct ShopServer<F>(pub(super) F);

impl<F> NamedService for ShopServer<F> {
    const NAME: &'static str = "shop.Shop";
}

impl<F> Service<http::Request<Body>> for ShopServer<F>
where
    F: Fn(String) -> String + Clone + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let order = Order(self.0.clone());
        Box::pin(async { Ok(tonic::server::Grpc::new(Text).unary(order, request).await) })
    }
}

struct Order<F>(F);

impl<F: Fn(String) -> String> UnaryService<String> for Order<F> {
    type Response = String;
    type Future = Ready<Result<Response<String>, Status>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        ready(Ok(Response::new((self.0)(request.into_inner()))))
    }
}

/// The client.
pub(super) async fn order(channel: &Channel, what: &str) -> Result<String, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::from_static("/shop.Shop/Order");
    Ok(grpc.unary(Request::new(what.to_owned()), path, Text).await?.into_inner())
}

struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let text = buffer.copy_to_bytes(buffer.remaining());
        Ok(Some(String::from_utf8_lossy(&text).into_owned()))
    }
}
