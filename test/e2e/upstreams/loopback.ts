/**
 * Preloaded into servers that listen on every address of the machine: they listen on loopback only, and say on stdout
 * which port they were given.
 * @module
 */
import { type AddressInfo, Server } from 'node:net';

const { listen } = Server.prototype;

Server.prototype.listen = function onLoopback(this: Server, ...args: unknown[]): Server {
  const [port, listener] = [args[0], args.at(-1)];
  this.once('listening', () => console.log(`listening on ${(this.address() as AddressInfo).port}`));
  const options = { port: Number(port), host: '127.0.0.1' };
  return typeof listener === 'function'
    ? listen.call(this, options, listener as () => void)
    : listen.call(this, options);
};
