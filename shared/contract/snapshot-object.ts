/** Key of the object with all connectors (shared/connectors-table/snapshot-object.ts). */
export const snapshotKey = 'connectors'

/** Versions after which connector-api writes the object again. A smaller table is read as quickly without it. */
export const snapshotInterval = 500
