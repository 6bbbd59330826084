// Package wire describes what is on the wire between a client and a registry as
// values: operations, exchanges, traces, the recorder that makes them on either
// side, and the scrubbing that makes them stable and free of secrets.
package wire
