/** Minutes after the end of an hour in which record-events may still store events of that hour. Its timeout is shorter. */
export const recordingMinutes = 5

/** The minute of each hour at which the hour before is sealed. */
export const sealMinute = 7
