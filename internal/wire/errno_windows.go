package wire

import "syscall"

// Winsock's own numbers, which syscall's portable names do not match.
const (
	errnoRefused = syscall.Errno(10061)
	errnoReset   = syscall.Errno(10054)
	errnoAborted = syscall.Errno(10053)
)
