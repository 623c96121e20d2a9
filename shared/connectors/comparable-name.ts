/** The comparable form of a connector's name: no two connectors of one direction share it. */
export const comparableName = (name: string): string => name.normalize('NFC').toLowerCase()
