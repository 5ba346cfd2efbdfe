/**
 * The examples at the end of every `--help`.
 * @module
 */

export const EXAMPLES = {
  program: `
Examples:
  npx agent-switchboard                          one endpoint in front of every server of ./servers.json; without
                                                 that file it says how to begin
  switchboard check                              which servers are ready, and why the others are not
  switchboard call everything__echo '{"message": "hi"}'
  switchboard ask mastra/weather What is it like in Lisbon?

Configuration: --config, then SWITCHBOARD_CONFIG, then ./servers.json. AGENT_SERVERS (URLs separated by spaces or
commas) adds servers. Exit codes: 0 fine, 1 the call or agent failed, 2 wrong usage or configuration, 3 some server
is not ready (check), 4 a server could not be reached or the port not be listened on, 5 denied and 6 to be approved
(policy explain), 130 interrupted.`,

  serve: `
Examples:
  switchboard serve                              http://127.0.0.1:7300/mcp, for clients that speak HTTP
  switchboard serve --port 0 --json              any free port; the address as a line of JSON on stdout
  switchboard serve --stdio --config ~/servers.json
                                                 for desktop clients that start a command
  GATEWAY_TOKEN=… switchboard serve --host 0.0.0.0 --token-env GATEWAY_TOKEN
                                                 for other machines, with a bearer token

Signals: SIGINT and SIGTERM end it in order, a second one at once; SIGHUP reads the configuration again (as every
edit of the file does). Without a servers.json the builtin tools are served, on this machine alone, and one that is
saved there later is read at once.`,

  check: `
Examples:
  switchboard check                              a table of all servers
  switchboard check --config other.json          another configuration
  switchboard check --json | jq '.servers[] | select(.state != "ready")'

Exits with 3 when a server that is not disabled is not ready.`,

  list: `
Examples:
  switchboard list                               everything, under the names clients see
  switchboard list everything                    one server only
  switchboard list --json | jq '.tools[].name'   definitions included: input schemas, descriptions`,

  import: `
Examples:
  switchboard import ~/.cursor/mcp.json                   prints entries for servers.json
  switchboard import mcp_settings.json --out servers.json writes them, or adds them to what is there
  switchboard import config.json --from 1mcp --json       with every remark as JSON

Reads files of MetaMCP, mcp-hub, mcphub, 1MCP, Claude Desktop, Claude Code, Cursor, VS Code, Windsurf, Zed, Gemini CLI
and Codex. What is not taken is said on stderr, line by line. Exits with 1 when a server could not be taken.`,

  call: `
Examples:
  switchboard call everything__echo '{"message": "hi"}'
  echo '{"a": 1, "b": 2}' | switchboard call everything__get-sum -
  switchboard call listServers                   a tool of the gateway itself
  switchboard call everything__echo '{"message": "hi"}' --json | jq .content`,

  agents: `
Examples:
  switchboard agents                             the ids that ask takes
  switchboard agents --json | jq -r '.agents[].agent'`,

  ask: `
Examples:
  switchboard ask mastra/weather What is it like in Lisbon?
  switchboard ask weather 'And tomorrow?' --thread 4f1c          go on with a conversation
  git diff | switchboard ask langgraph/reviewer -                the text from stdin
  switchboard ask mastra/weather --json Hello | jq -r .text      the whole answer at once`,

  lock: `
Examples:
  switchboard lock                               after reading the diff, commit switchboard.lock.json
  switchboard lock --check                       for CI: prints the diff, exits with 1 when something changed
  switchboard lock --server everything           accept what changed in one server only
  switchboard lock --check --json | jq '.changes[]'

With gateway.lock "warn" differences are reported while serving, with "deny" they are hidden until accepted. Servers
that are not ready keep what the file says of them; the exit code is then 3.`,

  policy: `
Examples:
  switchboard policy init --out policies         a policy to start from, one file for each server
  switchboard policy explain everything__echo '{"message": "hi"}' --grant team
  switchboard policy test policy.cases.json      for CI: exits with 1 when a case is not as expected`,

  policyInit: `
Examples:
  switchboard policy init --server everything > everything.policy.json
  switchboard policy init --out policies         policies/<server>.policy.json, and what to add to servers.json
  switchboard policy init --merged               one document for gateway.policy, builtin tools included
  switchboard policy init --grant team           one for that grant, of the servers it may use

Tools that read are allowed, others limited to 60 (no known verb), 30 (write) or 10 (execute) calls a minute, tools that
move money are denied, tools that destroy are hidden, and what is not listed is denied. What a tool is, is read from its
name, description, parameters and annotations; annotations can only make it stricter. Why is printed to stderr. Exits
with 3 when a server is not ready.`,

  policyExplain: `
Examples:
  switchboard policy explain everything__echo '{"message": "hi"}'
  switchboard policy explain echo --server everything --grant team
  switchboard policy explain 'file:///etc/passwd' --kind resource --server files
  switchboard policy explain mastra/weather --kind agent --json | jq .verdict

Hooks of call.before do run; nothing is sent, counted or written to the audit, and no approval is requested. Counts of
limits are those in the state folder. Exits with 0 when it is allowed, 5 when it is denied, 6 when a person has to
approve it, 2 for an unknown name.`,

  policyTest: `
Example of a file (comments are allowed):
  { "cases": [
    { "tool": "bank__pay", "args": { "amount": 5 }, "grant": "team", "expect": "allow" },
    { "tool": "bank__pay", "args": { "amount": 5000 }, "grant": "team", "expect": "deny", "rule": "/tools/bank__pay/deny_if/args.amount-gt" },
    { "name": "11 a minute are too many", "tool": "bank__pay", "times": 11, "expect": "deny" },
    { "prompt": "greet", "server": "bank", "expect": "allow", "listed": true } ] }

One of tool, prompt, resource, agent, method says what is asked for; expect is allow, deny or approve. Limits begin at
nothing for every case. An unknown name fails, unless the rule is "(unknown name)". Exits with 1 when a case fails.`,

  approvals: `
Examples:
  switchboard approvals list                     what waits for a person
  switchboard approvals show apr_…               who asks for what, by which rule, with which arguments
  switchboard approvals approve apr_… --note 'agreed with Ada'
  switchboard approvals deny apr_…
  switchboard approvals list --all --json | jq '.approvals[] | select(.state == "denied")'

They talk to the gateway that runs, with gateway.adminToken or the token it keeps in its state folder. An approval lets
that one call through once; its client has to try again.`,

  connections: `
Examples:
  switchboard connections list                   who has logged in to which server
  switchboard connections connect mail           log the local user in, in a browser
  switchboard connections connect mail --grant ci
  switchboard connections revoke mail --grant ci
  switchboard connections list --principal ci --json | jq '.connections[].server'

They talk to the gateway that runs; where none does, they use its state folder, and connect serves the page itself until
the login has ended. A server with one login for everybody is logged in to for all. No token is ever printed.`,

  grants: `
Examples:
  switchboard grants add ci --server 'git*' --policy policies/ci.json --expires 90d
  switchboard grants add ci --rotate             a second key; the first works on until the next rotation
  switchboard grants list
  switchboard grants revoke ci`,
} as const;
