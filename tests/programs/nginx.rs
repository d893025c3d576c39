//! nginx on port 80 of a node, and reqwest in another.

use nstest::{Node, TestContext, TestResult, netns_test};
use nstest_tests::programs::find;

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs nginx; run ./check test")]
async fn serves_by_name_over_both_families(
    web: Node,
    user: Node,
    context: TestContext,
) -> TestResult {
    let tmp = context.tmp_dir();
    let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}/{kind};\n", tmp.display()))
        .concat();
    let configuration = format!(
        "user root;\ndaemon off;\nmaster_process off;\npid {}/nginx.pid;\nevents {{}}\nhttp {{\naccess_log off;\n{temp}\
         server {{ listen 80; listen [::]:80; location / {{ return 200 \"$remote_addr\"; }} }}\n}}\n",
        tmp.display()
    );
    let file = tmp.join("nginx.conf");
    std::fs::write(&file, configuration)?;
    web.command(find("nginx")).args(["-e", "stderr", "-c"]).arg(&file).spawn()?;
    web.wait_listening_async(80).await?;
    let urls = [
        "http://web/".to_owned(),
        format!("http://{}/", web.ip()),
        format!("http://[{}]/", web.ipv6()),
    ];
    for url in urls {
        let asks = user.spawn_async(async move { reqwest::get(url).await?.text().await });
        let seen: std::net::IpAddr = asks.await??.parse()?;
        assert!(user.ips().contains(&seen), "{seen}");
    }
    Ok(())
}
