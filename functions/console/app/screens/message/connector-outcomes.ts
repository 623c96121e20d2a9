/** The outcomes of considered connectors, in words. Pure. */

export const outcomeTexts: Readonly<Record<string, string>> = {
  Decides: 'selected',
  Waived: 'violated, released by an administrator',
  Reports: 'report only',
  Grants: 'grants relay',
  Outranked: 'lower precedence',
  NotIdentified: 'does not identify the client',
  NotApplicable: 'does not apply',
  Disabled: 'disabled',
}

/** Whether the connector had an effect on the message. */
export const hasEffect = (outcome: string): boolean => ['Decides', 'Waived', 'Grants'].includes(outcome)
