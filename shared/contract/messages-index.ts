/** The indexes of the messages table. */

/** Lists recipients by time. */
export const byTime = 'byTime'

/**
 * Attributes that the index has besides the keys. They do not change on the normal path of a message: the write of
 * `Delivered` must not cause a write in the index.
 */
export const byTimeAttributes = ['sender', 'clientIp', 'headerMessageId', 'connectors', 'exception']

/** Lists the recipients that are deferred. Others do not have its key. */
export const byWaiting = 'byWaiting'

/** Attributes that the index has besides the keys. */
export const byWaitingAttributes = ['sender', 'connectors', 'wait']
