package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
)

// classify names an error of a transport. handshake says that a connection was
// open and its TLS handshake under way.
func classify(err error, handshake bool) Failure {
	var dns *net.DNSError
	switch {
	case err == nil:
		return FailureNone
	case errors.As(err, &dns):
		return FailureDNS
	case errors.Is(err, context.Canceled):
		return FailureCancelled
	case isTimeout(err):
		return FailureTimeout
	case handshake || isTLS(err):
		return FailureTLS
	case isAny(err, syscall.ECONNREFUSED, errnoRefused):
		return FailureRefused
	case isAny(err, syscall.ECONNRESET, syscall.ECONNABORTED, errnoReset, errnoAborted):
		return FailureReset
	case isAny(err, io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, syscall.EPIPE):
		return FailureClosed
	}
	return classifyText(err.Error())
}

// classifyText knows the errors that net/http gives no type.
func classifyText(s string) Failure {
	switch {
	case strings.Contains(s, "malformed"):
		return FailureOther
	case strings.Contains(s, "request canceled"):
		return FailureCancelled
	case strings.Contains(s, "server closed idle connection"), strings.Contains(s, "connection broken"),
		strings.Contains(s, "server sent GOAWAY"), strings.Contains(s, "client connection lost"):
		return FailureClosed
	case strings.Contains(s, "stream error"):
		return FailureReset
	case strings.HasPrefix(s, "tls: "), strings.Contains(s, "remote error: tls: "):
		return FailureTLS
	}
	return FailureOther
}

func isTimeout(err error) bool {
	if isAny(err, context.DeadlineExceeded, os.ErrDeadlineExceeded) {
		return true
	}
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

func isTLS(err error) bool {
	var (
		record  tls.RecordHeaderError
		alert   tls.AlertError
		verify  *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &verify) || errors.As(err, &unknown) || errors.As(err, &name) || errors.As(err, &invalid)
}

func isAny(err error, targets ...error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}
