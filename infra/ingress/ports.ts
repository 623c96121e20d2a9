/** Ports of the container: above 1023, because the container does not run as root. The load balancer listens on 25. */
export const smtpPort = 2525
export const healthPort = 8081
