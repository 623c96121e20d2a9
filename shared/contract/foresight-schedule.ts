/** When it is looked which certificates expire: an hour of every day, UTC. */
export const foresightHour = 6
