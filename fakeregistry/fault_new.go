package fakeregistry

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// NewFault makes a fault of the catalogue. where is one or several patterns
// separated by commas ("upload.patch", "upload.*,manifest.put"), or "" for the
// kind's usual place; finer selection goes into the result's On. settings are
// "name=value": the kind's parameters, written as in scenario files, and the
// triggers nth, times, every, chance, per, after-event, until and optional.
//
//	NewFault("reset", "upload.patch", "after=1MiB", "times=1")
//
// Errors: an unknown name, a place that is no operation, a setting that is not
// understood.
func NewFault(name, where string, settings ...string) (Fault, error) {
	k, ok := KindOf(name)
	if !ok {
		return Fault{}, fmt.Errorf("fault %q: there is no such fault in the catalogue", name)
	}
	f := Fault{Name: name, On: Match{Ops: k.Places()}}
	if where != "" {
		f.On.Ops = nil
		for place := range strings.SplitSeq(where, ",") {
			p, err := wire.ParsePattern(strings.TrimSpace(place))
			if err != nil {
				return Fault{}, fmt.Errorf("fault %s: %w", name, err)
			}
			f.On.Ops = append(f.On.Ops, p)
		}
	}
	args := Args{}
	for _, setting := range settings {
		if err := f.set(k, args, setting); err != nil {
			return Fault{}, fmt.Errorf("fault %s: %w", name, err)
		}
	}
	effect, err := k.Make(args)
	if err != nil {
		return Fault{}, fmt.Errorf("fault %s: %w", name, err)
	}
	f.Effect = effect
	return f, nil
}

// set takes one "name=value".
func (f *Fault) set(k Kind, args Args, setting string) error {
	name, value, ok := strings.Cut(setting, "=")
	if !ok {
		return fmt.Errorf("setting %q: want name=value", setting)
	}
	if p, ok := k.Param(name); ok {
		v, err := p.Parse(value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		args[name] = v
		return nil
	}
	if ok, err := f.When.set(name, value); ok || err != nil {
		return err
	}
	return fmt.Errorf("%s: %s has no such parameter; it takes %s", name, k.Name, k.paramNames())
}

// set takes one part of a trigger and reports whether it is one.
func (t *Trigger) set(name, value string) (bool, error) {
	var err error
	switch name {
	case "nth":
		t.Nth, err = strconv.Atoi(value)
	case "times":
		t.Times, err = strconv.Atoi(value)
	case "every":
		t.Every, err = strconv.Atoi(value)
	case "chance":
		number, percent := strings.CutSuffix(value, "%")
		t.Chance, err = strconv.ParseFloat(number, 64)
		if percent {
			t.Chance /= 100
		}
	case "per":
		t.Per = value
	case "after-event":
		t.AfterEvent = value
	case "until":
		t.Until = value
	case "optional":
		t.Optional, err = strconv.ParseBool(value)
	default:
		return false, nil
	}
	if err != nil {
		return true, fmt.Errorf("%s: %q is not understood", name, value)
	}
	return true, nil
}

// check reports what is wrong with a trigger.
func (t Trigger) check() error {
	switch {
	case t.Nth < 0 || t.Times < 0 || t.Every < 0:
		return fmt.Errorf("nth, times and every count from 1")
	case t.Chance < 0 || t.Chance > 1:
		return fmt.Errorf("chance: %v is not more than 0 and at most 1", t.Chance)
	}
	switch t.Per {
	case "", "run", "connection", "digest", "repository":
		return nil
	}
	return fmt.Errorf("per: %q is not one of run, connection, digest, repository", t.Per)
}
