package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/scenarios"
)

// What a registry that is served to anybody puts up with.
const (
	maxConnections = 1000
	maxSessions    = 1000
	maxIdle        = 2 * time.Minute
	rememberedFew  = 1000
	rememberedMany = 100_000 // with --trace
)

// limits are those of a registry that is served to anybody. bytes 0 is no limit.
func limits(bytes int64, trace string) scenarios.Limits {
	l := scenarios.Limits{Connections: maxConnections, Sessions: maxSessions, Idle: maxIdle, Bytes: bytes, Exchanges: rememberedFew}
	if trace != "" {
		l.Exchanges = rememberedMany
	}
	return l
}

// drawn is what --ornery means without a value.
const drawn = "by-seed"

// oddities lists them for help.
func oddities() string {
	var b strings.Builder
	for _, name := range scenarios.OddityNames() {
		fmt.Fprintf(&b, "  %s\n", name)
	}
	return b.String()
}

// beOrnery makes a registry what --ornery says.
func (f serveFlags) beOrnery(r *scenarios.Registry) error {
	if f.ornery == "" {
		return nil
	}
	if r.Kind != "" && r.Kind != scenarios.KindFake && r.Kind != scenarios.KindBoth {
		return usage("leave out --registry, or say fake", "a registry of kind %s cannot be ornery", r.Kind)
	}
	if r.Kind == "" {
		r.Kind = scenarios.KindFake
	}
	r.Ornery = []string{}
	if f.ornery == drawn {
		return nil
	}
	for name := range strings.SplitSeq(f.ornery, ",") {
		if !slices.Contains(scenarios.OddityNames(), name) {
			return usage("one or more of "+strings.Join(scenarios.OddityNames(), ", "), "%q is not an oddity", name)
		}
		r.Ornery = append(r.Ornery, name)
	}
	return nil
}
