import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Linked, LinkedList } from './linked-list.ts';

class Item implements Linked<Item> {
  previous: Item | undefined;
  next: Item | undefined;
  readonly name: number;

  constructor(name: number) {
    this.name = name;
  }
}

const names = (list: LinkedList<Item>): number[] => [...list].map((item) => item.name);

describe('a linked list', () => {
  it('agrees with an array under any sequence of appends, removals and shifts', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('append', 'remove', 'shift'), fc.nat(20))), (steps) => {
        const list = new LinkedList<Item>();
        const model: Item[] = [];
        let made = 0;
        for (const [step, at] of steps) {
          if (step === 'append') {
            const item = new Item(made++);
            list.append(item);
            model.push(item);
          } else if (step === 'shift') {
            expect(list.shift()).toBe(model.shift());
          } else {
            const item = model[at];
            if (item) expect(list.remove(item)).toBe(true);
            model.splice(at, item ? 1 : 0);
          }
          expect(list.size).toBe(model.length);
          expect(list.first).toBe(model[0]);
        }
        expect(names(list)).toEqual(model.map((item) => item.name));
      }),
    );
  });

  it('removes an item once and leaves no link on it', () => {
    const list = new LinkedList<Item>();
    const item = new Item(1);
    list.append(item);
    list.append(new Item(2));
    expect(list.remove(item)).toBe(true);
    expect(list.remove(item)).toBe(false);
    expect(item).toMatchObject({ previous: undefined, next: undefined });
    expect(names(list)).toEqual([2]);
  });

  it('visits every item although each is removed when it is visited', () => {
    const list = new LinkedList<Item>();
    for (const name of [1, 2, 3]) list.append(new Item(name));
    const visited: number[] = [];
    for (const item of list) {
      visited.push(item.name);
      list.remove(item);
    }
    expect(visited).toEqual([1, 2, 3]);
    expect(list.size).toBe(0);
  });
});
