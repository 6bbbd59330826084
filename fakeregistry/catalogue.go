package fakeregistry

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// catalogue is every kind, by layer, in the order of the documentation.
var catalogue = sync.OnceValue(func() []Kind {
	return bounded(inOrder(slices.Concat(
		dnsKinds(), tcpKinds(), tlsKinds(), httpKinds(), headerKinds(), statusKinds(), bodyKinds(), gzipKinds(),
		authKinds(), protocolKinds(), v1Kinds(), storageKinds(), timeKinds(),
	)))
})

// Kinds is the catalogue, in the order of the documentation. It lists what is
// built. The caller may change the slice but not what its entries point to.
func Kinds() []Kind { return slices.Clone(catalogue()) }

// KindOf finds an entry of the catalogue.
func KindOf(name string) (Kind, bool) {
	for _, k := range catalogue() {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

// Param finds a parameter.
func (k Kind) Param(name string) (Param, bool) {
	for _, p := range k.Params {
		if p.Name == name {
			return p, true
		}
	}
	return Param{}, false
}

// Make makes the effect of a fault from the parameters that were given; the rest
// take their defaults.
//
// Errors: a parameter that the kind does not have, or whose value is of another
// Go type than ParamType says or out of range; all of them, joined, each with
// the parameter's name in front.
func (k Kind) Make(given Args) (Effect, error) {
	args := Args{}
	for _, p := range k.Params {
		args[p.Name] = p.Default
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(given)) {
		p, ok := k.Param(name)
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %s has no such parameter; it takes %s", name, k.Name, k.paramNames()))
			continue
		}
		if err := p.Check(given[name]); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		args[name] = given[name]
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return k.New(args)
}

func (k Kind) paramNames() string {
	if len(k.Params) == 0 {
		return "none"
	}
	names := make([]string, len(k.Params))
	for i, p := range k.Params {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}

// Places are the kind's Where, parsed.
func (k Kind) Places() []Pattern { return patterns(k.Where...) }

// patterns parses places that are known to be right.
func patterns(places ...string) []wire.Pattern {
	list := make([]wire.Pattern, len(places))
	for i, s := range places {
		op, answer, _ := strings.Cut(s, "@")
		list[i] = wire.Pattern{Op: op, Answer: answer}
	}
	return list
}

// Short forms for the tables of kinds.

func sizeParam(name string, def any, doc string) Param {
	return Param{Name: name, Type: ParamSize, Default: def, Doc: doc}
}

func timeParam(name string, def any, doc string) Param {
	return Param{Name: name, Type: ParamDuration, Default: def, Doc: doc}
}

func textParam(name string, def any, doc string) Param {
	return Param{Name: name, Type: ParamString, Default: def, Doc: doc}
}

func enumParam(name, doc string, values ...string) Param {
	return Param{Name: name, Type: ParamEnum, Default: values[0], Values: values, Doc: doc}
}

func statusParam(doc string, usual ...int64) Param {
	p := Param{Name: "status", Type: ParamStatus, Default: usual[0], Doc: doc}
	for _, s := range usual {
		p.Values = append(p.Values, fmt.Sprint(s))
	}
	return p
}
