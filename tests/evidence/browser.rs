//! Opens pages in a headless Chromium, by the DevTools protocol over a pipe: each message is
//! a JSON object and a zero byte (`--remote-debugging-pipe`). The browser has its own profile.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nstest_tests::directory::Directory;
use nstest_tests::programs;
use serde_json::{Value, json};

/// How long a browser may take for an answer, on a machine under load.
const DEADLINE: Duration = Duration::from_secs(120);

/// What scripts can use: `all(selector)`, `text(selector)` joins the texts of all that match,
/// and `drawn()` waits until the page has drawn.
const HELPERS: &str = r#"
    const all = (selector) => [...document.querySelectorAll(selector)];
    const text = (selector) => all(selector).map((element) => element.textContent).join(" | ");
    const drawn = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
"#;

/// A page that is open in a browser of its own.
pub(crate) struct Page {
    browser: Child,
    requests: ChildStdin,
    messages: Receiver<Value>,
    directory: Directory,
    session: Option<String>,
    last: u64,
    /// What the browser has complained about.
    complaints: Vec<String>,
}

impl Page {
    /// Opens a page in a window that is so high that no row of a short record is out of sight, and
    /// waits until it is drawn: before, places in it are not final.
    pub(crate) fn open(html: &str, hash: &str) -> Self {
        Self::open_in(html, hash, (1600, 5000))
    }

    pub(crate) fn open_in(html: &str, hash: &str, (width, height): (u32, u32)) -> Self {
        let mut page = Self::start();
        let file = page.directory.path().join("report.html");
        fs::write(&file, html).expect("write the page");
        let target = page.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = page.call("Target.attachToTarget", attach);
        page.session = session["sessionId"].as_str().map(ToOwned::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        page.call("Emulation.setDeviceMetricsOverride", metrics);
        let hash = if hash.is_empty() { String::new() } else { format!("#{hash}") };
        page.call("Page.navigate", json!({ "url": format!("file://{}{hash}", file.display()) }));
        page.wait_for(|message| message["method"] == "Page.loadEventFired");
        page.run("await drawn()");
        page
    }

    fn start() -> Self {
        let directory = Directory::new("page");
        // The browser reads requests from descriptor 3, and writes to 4.
        let mut browser = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1", "sh"])
            .arg(programs::find("chromium"))
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--remote-debugging-pipe", "--disable-background-networking"])
            .arg(profile(directory.path()))
            .env("HOME", directory.path())
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("start chromium");
        let requests = browser.stdin.take().expect("it has a pipe");
        let answers = BufReader::new(browser.stdout.take().expect("it has a pipe"));
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { continue };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let (session, last, complaints) = (None, 0, Vec::new());
        Self { browser, requests, messages, directory, session, last, complaints }
    }

    /// Sends a request, and returns the result.
    #[track_caller]
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let id = self.last;
        let mut request = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        write!(self.requests, "{request}\0").expect("the browser is alive");
        self.requests.flush().expect("the browser is alive");
        let answer = self.wait_for(|message| message["id"] == id);
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }

    #[track_caller]
    fn wait_for(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.messages.recv_timeout(DEADLINE).expect("chromium answers in time");
            let about = match message["method"].as_str() {
                Some("Runtime.exceptionThrown") => Some(&message["params"]["exceptionDetails"]),
                Some("Runtime.consoleAPICalled") => Some(&message["params"]["args"]),
                Some("Log.entryAdded") => Some(&message["params"]["entry"]["text"]),
                _ => None,
            };
            self.complaints.extend(about.map(Value::to_string));
            if is_it(&message) {
                return message;
            }
        }
    }

    /// The value that a script returns: the body of an async function.
    ///
    /// # Panics
    /// If it throws, or if the browser had anything to complain about until now.
    #[track_caller]
    pub(crate) fn run(&mut self, script: &str) -> Value {
        let expression = format!("(async () => {{ {HELPERS} {script}\n }})()");
        let params =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let result = self.call("Runtime.evaluate", params);
        assert!(result["exceptionDetails"].is_null(), "{}", result["exceptionDetails"]);
        assert!(self.complaints.is_empty(), "{:?}", self.complaints);
        result["result"]["value"].clone()
    }

    /// Presses and releases keys, named as in the DOM.
    #[track_caller]
    pub(crate) fn press(&mut self, keys: &[&str]) {
        for key in keys {
            let text = if key.chars().count() == 1 { *key } else { "" };
            let down = json!({ "type": "keyDown", "key": key, "text": text });
            self.call("Input.dispatchKeyEvent", down);
            self.call("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": key }));
        }
    }

    /// Drags the mouse from one point to another, each from the top left of the window.
    #[track_caller]
    pub(crate) fn drag(&mut self, from: (f64, f64), to: (f64, f64)) {
        let middle = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
        for (kind, (x, y)) in [
            ("mouseMoved", from),
            ("mousePressed", from),
            ("mouseMoved", middle),
            ("mouseMoved", to),
            ("mouseReleased", to),
        ] {
            let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }
}

fn profile(directory: &Path) -> String {
    format!("--user-data-dir={}", directory.join("profile").display())
}

impl Drop for Page {
    /// Has the browser end its processes, which would otherwise write into the profile while
    /// it is deleted. The pipe ends with the last of them.
    fn drop(&mut self) {
        let close = json!({ "id": self.last + 1, "method": "Browser.close" });
        let _ = write!(self.requests, "{close}\0").and_then(|()| self.requests.flush());
        while self.messages.recv_timeout(DEADLINE).is_ok() {}
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}
