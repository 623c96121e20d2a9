/** Paths of the page for administrators. */

export const consolePath = '/console'

export const consoleConfigPath = `${consolePath}/config.json`
