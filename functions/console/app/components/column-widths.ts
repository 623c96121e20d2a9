/** Widths of columns that many tables have, in pixels with their padding. */

/** Of a date with its time of day in one line. */
export const timeWidth = 168
/** With seconds. */
export const timeOfEventWidth = 186
