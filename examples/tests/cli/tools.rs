//! `APP mcp`: tools on standard input and output, for the client that starts the process.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

use serde_json::{Value, json};

use crate::process::{Place, command, run};

/// A client of the revision that came before sessions went away.
struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    last: u64,
}

impl Client {
    /// Starts the application and says hello.
    fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut command = command(place, &[&["mcp"], arguments].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut client = Self { child, input, output, last: 0 };
        let hello = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
        });
        let told = client.ask("initialize", &hello);
        assert_eq!(told["result"]["serverInfo"]["name"], "notes", "{told}");
        client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        client
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.input.as_mut().expect("open"), "{message}").expect("it reads");
    }

    /// Reads one message. Whatever else is on standard output fails the test.
    fn receive(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Sends a request and returns its number.
    fn begin(&mut self, method: &str, params: &Value) -> u64 {
        self.last += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": self.last, "method": method, "params": params }));
        self.last
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.begin(method, params);
        let answer = self.receive();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }))["result"].clone()
    }

    /// Closes standard input and waits for the end. Returns what else was on standard output, and the log.
    fn close(mut self) -> (String, String) {
        drop(self.input.take());
        let (mut rest, mut log) = (String::new(), String::new());
        self.output.read_to_string(&mut rest).expect("text");
        self.child.stderr.take().expect("piped").read_to_string(&mut log).expect("text");
        assert!(self.child.wait().expect("it ends").success(), "{log}");
        (rest, log)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn tools_are_listed_and_called_and_the_process_ends_with_its_input() {
    let place = Place::new();
    let mut client = Client::start(&place, &[]);
    let listed = client.ask("tools/list", &json!({}));
    let names: Vec<_> =
        listed["result"]["tools"].as_array().expect("a list").iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["add_note", "count_notes", "who-am-i"]);
    for count in [2, 4] {
        let told = client.call("add_note", &json!({ "text": "weed", "times": 2 }));
        assert_eq!(told["structuredContent"], json!({ "result": count }), "{told}");
    }
    let wrong = client.call("add_note", &json!({ "text": "" }));
    assert_eq!(wrong["isError"], true);
    assert!(wrong["content"][0]["text"].as_str().expect("text").contains("/text"), "{wrong}");
    let unknown = client.ask("tools/call", &json!({ "name": "swim" }));
    assert_eq!(unknown["error"]["code"], -32602);
    let (rest, log) = client.close();
    assert_eq!(rest, "", "nothing but messages is on standard output");
    assert!(!log.contains("weed"), "inputs are not logged: {log}");
    assert_eq!(run(&mut command(&place, &["call", "count_notes"])).out, "4\n");
}

#[test]
fn what_is_no_json_is_passed_over() {
    let place = Place::new();
    let mut client = Client::start(&place, &[]);
    writeln!(client.input.as_mut().expect("open"), "hello\n").expect("it reads");
    assert_eq!(client.call("count_notes", &json!({}))["structuredContent"]["result"], 0);
    client.close();
}

#[test]
fn an_operator_says_who_calls() {
    let place = Place::new();
    let mut nobody = Client::start(&place, &[]);
    let refused = nobody.call("who-am-i", &json!({}));
    assert!(refused["content"][0]["text"].as_str().expect("text").contains("api_key_missing"), "{refused}");
    let mut robot = Client::start(&place, &["--as", "service:robot"]);
    assert_eq!(robot.call("who-am-i", &json!({}))["content"][0]["text"], "robot");
    let said = run(&mut command(&place, &["mcp", "--as", "robot"]));
    assert!(!said.ok && said.out.is_empty() && said.err.contains("service:NAME"), "{said:#?}");
}

#[test]
fn a_call_that_is_cancelled_stops_and_leaves_nothing() {
    let place = Place::new();
    let mut client = Client::start(&place, &[]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let until = listener.local_addr().expect("an address").to_string();
    let arguments = json!({ "text": "weed", "until": until });
    let id = client.begin("tools/call", &json!({ "name": "add_note", "arguments": arguments }));
    // It is in the middle of its transaction.
    let (mut run, _) = listener.accept().expect("the call");
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    client.send(&cancel);
    assert_eq!(run.read(&mut [0]).expect("its end"), 0, "the call hung up");
    assert_eq!(client.call("count_notes", &json!({}))["structuredContent"]["result"], 0);
    client.close();
}

/// Elsewhere a read of standard input cannot be given up, and the process ends when its client closes that.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_it_while_its_input_is_open() {
    let place = Place::new();
    let mut client = Client::start(&place, &[]);
    let sent = std::process::Command::new("kill").arg("-TERM").arg(client.child.id().to_string()).status();
    assert!(sent.expect("`kill` runs").success());
    assert!(client.child.wait().expect("it ends").success());
}
