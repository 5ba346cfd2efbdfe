/**
 * The environment of a child. The gateway's own holds credentials of other servers; a child gets what any program needs
 * to run, and what its entry in the configuration gives it.
 * @module
 */

const INHERITED = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'TERM',
  'LANG',
  'LANGUAGE',
  'TZ',
  'TMPDIR',
  'XDG_RUNTIME_DIR',
  'XDG_CONFIG_HOME',
  'XDG_CACHE_HOME',
  'XDG_DATA_HOME',
  // Windows
  'APPDATA',
  'COMSPEC',
  'LOCALAPPDATA',
  'HOMEDRIVE',
  'HOMEPATH',
  'PATHEXT',
  'PROCESSOR_ARCHITECTURE',
  'PROGRAMDATA',
  'PROGRAMFILES',
  'PROGRAMFILES(X86)',
  'SYSTEMDRIVE',
  'SYSTEMROOT',
  'TEMP',
  'TMP',
  'USERNAME',
  'USERPROFILE',
  'WINDIR',
];

/** How many gateways have started one another: a configuration that starts itself would go on without end. */
const DEPTH = 'SWITCHBOARD_DEPTH';

/** `ignoresCase`: names of variables differ by more than case, as on Windows. */
export function childEnvironment(
  configured: Readonly<Record<string, string>>,
  own: NodeJS.ProcessEnv = process.env,
  ignoresCase = false,
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = own[name];
    // A value that starts like this is an exported shell function, which a child's shell would run.
    if (value !== undefined && !value.startsWith('()')) environment[name] = value;
  }
  for (const [name, value] of Object.entries(own)) {
    if (name.startsWith('LC_') && value !== undefined) environment[name] = value;
  }
  environment[DEPTH] = String((Number(own[DEPTH]) || 0) + 1);
  if (ignoresCase) {
    // Of `PATH` and `Path`, Windows would take either.
    const names = new Set(Object.keys(configured).map((name) => name.toUpperCase()));
    for (const name of Object.keys(environment)) if (names.has(name.toUpperCase())) delete environment[name];
  }
  return { ...environment, ...configured };
}
