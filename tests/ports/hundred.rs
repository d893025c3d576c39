//! A hundred tests that all need 127.0.0.1:8080.

/// Defines them in ten modules, with these further attributes.
macro_rules! hundred {
    ($(#[$attribute:meta])*) => {
        hundred!(modules [$(#[$attribute])*]
            s0 [] s1 [] s2 [] s3 [] s4 []
            a0 [async] a1 [async] a2 [async] a3 [async] a4 [async]);
    };
    (modules $attributes:tt $($module:ident $asyncness:tt)*) => {
        $(
            mod $module {
                hundred!(tests $attributes $asyncness t0);
                hundred!(tests $attributes $asyncness t1);
                hundred!(tests $attributes $asyncness t2);
                hundred!(tests $attributes $asyncness t3);
                hundred!(tests $attributes $asyncness t4);
                hundred!(tests $attributes $asyncness t5);
                hundred!(tests $attributes $asyncness t6);
                hundred!(tests $attributes $asyncness t7);
                hundred!(tests $attributes $asyncness t8);
                hundred!(tests $attributes $asyncness t9);
            }
        )*
    };
    (tests [$(#[$attribute:meta])*] [] $test:ident) => {
        #[nstest::netns_test]
        $(#[$attribute])*
        fn $test() -> nstest::TestResult {
            crate::hundred::serves(module_path!(), stringify!($test))
        }
    };
    (tests [$(#[$attribute:meta])*] [async] $test:ident) => {
        #[nstest::netns_test]
        $(#[$attribute])*
        async fn $test() -> nstest::TestResult {
            crate::hundred::serves_async(module_path!(), stringify!($test)).await
        }
    };
}

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use nstest::TestResult;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ADDRESS: &str = "127.0.0.1:8080";

/// A server that sends its test's name, and a client that must reach no other server.
pub(crate) fn serves(module: &str, test: &str) -> TestResult {
    let name = format!("{module}::{test}");
    let listener = TcpListener::bind(ADDRESS)?;
    let mut client = TcpStream::connect(ADDRESS)?;
    let (mut server, _) = listener.accept()?;
    server.write_all(name.as_bytes())?;
    drop(server);
    let mut met = String::new();
    client.read_to_string(&mut met)?;
    assert_eq!(met, name);
    Ok(())
}

/// The same on tokio.
pub(crate) async fn serves_async(module: &str, test: &str) -> TestResult {
    let name = format!("{module}::{test}");
    let listener = tokio::net::TcpListener::bind(ADDRESS).await?;
    let mut client = tokio::net::TcpStream::connect(ADDRESS).await?;
    let (mut server, _) = listener.accept().await?;
    server.write_all(name.as_bytes()).await?;
    drop(server);
    let mut met = String::new();
    client.read_to_string(&mut met).await?;
    assert_eq!(met, name);
    Ok(())
}
