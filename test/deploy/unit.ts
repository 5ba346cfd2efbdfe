/**
 * A unit of systemd: sections, directives that there are, and values of the kind they take, where `systemd-analyze` cannot be had.
 * Sources: systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.kill(5).
 * @module
 */

const text = /\S/;
const flag = /^(?:yes|no)$/;
const time = /^\d+(?:ms|s|min|h)?$/;
/** A path, or an executable with `-`, `@`, `+`, `!` before it. */
const command = /^[-@+!:]*\/\S+(?: .*)?$/;
const names = /^[\w.@-]+(?: [\w.@-]+)*$/;
/** A list that may be empty, which is how a list is made empty. */
const capabilities = /^(?:~?CAP_[A-Z_]+(?: CAP_[A-Z_]+)*)?$/;

const DIRECTIVES: Readonly<Record<string, Readonly<Record<string, RegExp>>>> = {
  Unit: {
    Description: text,
    Documentation: /^(?:https?|man|file|info):\S+$/,
    After: names,
    Wants: names,
    Requires: names,
    Before: names,
  },
  Install: { WantedBy: names, RequiredBy: names, Alias: names },
  Service: {
    Type: /^(?:simple|exec|forking|oneshot|dbus|notify|notify-reload|idle)$/,
    ExecStart: command,
    ExecReload: command,
    ExecStop: command,
    Restart: /^(?:no|on-success|on-failure|on-abnormal|on-watchdog|on-abort|always)$/,
    RestartSec: time,
    TimeoutStopSec: time,
    TimeoutStartSec: time,
    KillMode: /^(?:control-group|mixed|process|none)$/,
    EnvironmentFile: /^-?\/\S+$/,
    Environment: /^[A-Za-z_]\w*=.*$/,
    DynamicUser: flag,
    User: names,
    Group: names,
    StateDirectory: names,
    StateDirectoryMode: /^0[0-7]{3}$/,
    ConfigurationDirectory: names,
    WorkingDirectory: /^-?(?:\/\S*|~)$/,
    UMask: /^0[0-7]{3}$/,
    LimitNOFILE: /^(?:\d+(?::\d+)?|infinity)$/,
    ProtectSystem: /^(?:yes|no|full|strict)$/,
    ProtectHome: /^(?:yes|no|read-only|tmpfs)$/,
    PrivateTmp: flag,
    PrivateDevices: flag,
    ProtectKernelTunables: flag,
    ProtectKernelModules: flag,
    ProtectKernelLogs: flag,
    ProtectControlGroups: flag,
    ProtectClock: flag,
    ProtectHostname: flag,
    ProtectProc: /^(?:noaccess|invisible|ptraceable|default)$/,
    ProcSubset: /^(?:all|pid)$/,
    NoNewPrivileges: flag,
    CapabilityBoundingSet: capabilities,
    AmbientCapabilities: capabilities,
    RestrictAddressFamilies: /^(?:none|~?AF_[A-Z0-9]+(?: AF_[A-Z0-9]+)*)$/,
    RestrictNamespaces: /^(?:yes|no|~?[a-z]+(?: [a-z]+)*)$/,
    RestrictRealtime: flag,
    RestrictSUIDSGID: flag,
    LockPersonality: flag,
    MemoryDenyWriteExecute: flag,
    RemoveIPC: flag,
    SystemCallArchitectures: names,
    SystemCallFilter: /^~?[@\w-]+(?: [@\w-]+)*$/,
    SystemCallErrorNumber: /^(?:E[A-Z0-9]+|\d+)$/,
  },
};

/** What systemd would leave out with a warning, or refuse: a line each. */
export function unitMistakes(unit: string): string[] {
  const mistakes: string[] = [];
  let section: string | undefined;
  unit.split('\n').forEach((line, at) => {
    const wrong = (what: string): void => void mistakes.push(`${at + 1}: ${what}`);
    if (line.trim() === '' || /^[#;]/.test(line)) return;
    const [, heading] = /^\[(\w+)\]$/.exec(line) ?? [];
    if (heading !== undefined) {
      section = heading;
      if (!Object.hasOwn(DIRECTIVES, heading)) wrong(`There is no section ${heading}.`);
      return;
    }
    const [, name = '', value = ''] = /^([A-Z]\w*)=(.*)$/.exec(line) ?? [];
    const directives = DIRECTIVES[section ?? ''] ?? {};
    if (name === '') wrong(`It is no directive: ${line}`);
    else if (!Object.hasOwn(directives, name)) wrong(`[${section ?? ''}] has no ${name}.`);
    else if (!directives[name]?.test(value)) wrong(`${name} does not take ${JSON.stringify(value)}.`);
  });
  return mistakes;
}
