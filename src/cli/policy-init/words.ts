/**
 * The words risk is read from. Deterministic on purpose: the same catalog gives the same document, and a reader can look up
 * why. Words are lower case and whole; a name is taken apart at `_`, `-`, `.`, digits and capitals.
 * @module
 */

/** From the least to the most: a raise never goes down again. Destructive comes last because its rule is the strictest. */
export const CATEGORIES = ['Read', 'Other', 'Write', 'Execute', 'Financial', 'Destructive'] as const;

export type Category = (typeof CATEGORIES)[number];

const words = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/).filter((word) => word !== ''));

/** What a tool does, by the verb in its name. `connect` is not here: see `classify.ts`. */
export const VERBS: Readonly<Record<Category, ReadonlySet<string>>> = {
  Read: words(`
    get list read fetch search find query lookup look show view describe inspect check count browse explore select
    retrieve load peek status stat head tail diff compare validate verify analyze analyse summarize explain preview
    resolve suggest recommend calculate compute convert translate estimate`),
  Other: words(`
    disconnect ping echo wait sleep help health version logout unsubscribe watch listen poll think plan format parse
    render sample test pause`),
  Write: words(`
    create add insert write update edit modify set put patch post send publish upload save store append rename move copy
    register configure assign label tag comment reply message email notify share invite import attach link enable
    disable open close start stop restart resume schedule transfer book submit upsert merge commit push fork clone sync apply approve
    reject mark archive restore lock unlock subscribe replace change generate make build sign join leave follow log note`),
  Execute: words(`
    execute exec run eval evaluate invoke call spawn launch trigger deploy install shell bash script command compile
    dispatch perform automate click type navigate press delegate handoff`),
  Financial: words(`
    pay charge refund purchase buy sell invoice withdraw deposit payout checkout donate bill trade tip reimburse order`),
  Destructive: words(`
    delete destroy drop remove purge wipe erase truncate kill terminate reset clear uninstall revoke ban shred
    overwrite prune unpublish deprovision del rm rmdir unlink flush nuke`),
};

/** After a verb that does something, these make it a matter of money: `create_charge`. */
export const MONEY_NOUNS = words(`
  charge charges payment payments refund refunds payout payouts purchase invoice invoices checkout withdrawal deposit
  funds money payroll`);

/** Unambiguous wherever they stand, after a verb that reads too: `search_and_delete`. Others are nouns as often. */
export const ALWAYS_DESTRUCTIVE = words('delete destroy purge wipe erase truncate uninstall rm rmdir');

/** Parameters that carry something to be run. */
export const CODE_PARAMETERS = words('command commands cmd shell bash script sql python javascript exec');

/** Together with an amount: money moves. */
export const AMOUNT_PARAMETERS = words('amount total price');
export const MONEY_PARAMETERS = words('currency payee iban card account_number recipient_account');

/** Sentences of descriptions, however the name looks. */
export const PHRASES: readonly (readonly [RegExp, Category])[] = [
  [/\b(cannot|can ?not|can['’]t) be (undone|reversed|recovered)\b/i, 'Destructive'],
  [/\birreversibl[ey]\b/i, 'Destructive'],
  [/\bpermanently (delet|remov|eras|destroy|drop)/i, 'Destructive'],
  [
    /\b(execut|run)(e|es|s|ing|ning)? (?:(?:an?|the|any|given|arbitrary|raw|shell|system) ){0,3}(code|commands?|scripts?|sql|programs?|process(es)?)\b/i,
    'Execute',
  ],
];
