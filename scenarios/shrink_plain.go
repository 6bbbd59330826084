package scenarios

import (
	"maps"
	"slices"
	"strconv"
)

// The sizes to which a layer is made smaller, smallest first.
var smallSizes = [...]int64{1 << 10, 64 << 10}

// plainer lists scenarios that are one step simpler than s, those that take most
// away first. None of them is checked.
func plainer(s *Scenario) []*Scenario {
	var list []*Scenario
	list = append(list, fewerSteps(s)...)
	list = append(list, fewerLayers(s)...)
	list = append(list, plainerImage(s)...)
	list = append(list, plainerSetting(s)...)
	list = append(list, plainerFaults(s)...)
	return list
}

// fewerSteps leave one step out.
func fewerSteps(s *Scenario) []*Scenario {
	var list []*Scenario
	for i := range s.Steps {
		if len(s.Steps) > 1 {
			one := *s
			one.Steps = slices.Delete(slices.Clone(s.Steps), i, i+1)
			list = append(list, &one)
		}
	}
	return list
}

// fewerLayers leave one layer out. An image whose layers are named elsewhere than
// in faults keeps them: the names would mean others.
func fewerLayers(s *Scenario) []*Scenario {
	n := layerCount(s.Image)
	if s.Image.File != "" || n < 2 || len(s.Image.Tags)+len(s.Image.Identical)+len(s.Image.Foreign)+len(s.Client.Cache) > 0 {
		return nil
	}
	layers := s.Image.Layers
	if layers == nil {
		layers = defaultLayers[:]
	}
	var list []*Scenario
	for i := n; i >= 1; i-- {
		atoms, ok := withoutLayer(declaredAtoms(s), i)
		if !ok {
			continue
		}
		one := withAtoms(s, atoms)
		one.Image.Layers = slices.Delete(slices.Clone(layers), i-1, i)
		list = append(list, one)
	}
	return list
}

// withoutLayer renames the layers that faults name after one is gone; ok is false
// when a fault names that one.
func withoutLayer(atoms []atom, gone int) (renamed []atom, ok bool) {
	for _, a := range atoms {
		if n, isLayer := layerNumber(a.fault.Where.Digest); isLayer {
			switch {
			case n == gone:
				return nil, false
			case n > gone:
				a.fault.Where.Digest = "layer" + strconv.Itoa(n-1)
			}
		}
		renamed = append(renamed, a)
	}
	return renamed, true
}

// plainerImage makes one layer smaller, or the image docker's.
func plainerImage(s *Scenario) []*Scenario {
	var list []*Scenario
	layers := s.Image.Layers
	if layers == nil && s.Image.File == "" {
		layers = defaultLayers[:]
	}
	for i, size := range layers {
		for _, small := range smallSizes {
			if small < size {
				one := *s
				one.Image.Layers = slices.Clone(layers)
				one.Image.Layers[i] = small
				list = append(list, &one)
			}
		}
	}
	if s.Image.Media != "" {
		one := *s
		one.Image.Media = ""
		list = append(list, &one)
	}
	return list
}

// plainerSetting takes one setting of the registry or the client away.
func plainerSetting(s *Scenario) []*Scenario {
	var list []*Scenario
	change := func(applies bool, change func(one *Scenario)) {
		if applies {
			one := *s
			one.Registries = slices.Clone(s.Registries)
			change(&one)
			list = append(list, &one)
		}
	}
	for i, r := range s.Registries {
		change(r.Auth != "", func(one *Scenario) { one.Registries[i].Auth, one.Registries[i].Users, one.Client.Login = "", nil, nil })
		change(r.TLS && !s.Client.Secure && !s.Client.Trust, func(one *Scenario) { one.Registries[i].TLS = false })
		for _, name := range sortedKeys(r.Quirks) {
			change(true, func(one *Scenario) {
				one.Registries[i].Quirks = maps.Clone(r.Quirks)
				delete(one.Registries[i].Quirks, name)
			})
		}
	}
	c := s.Client
	change(c.Concurrency > 1, func(one *Scenario) { one.Client.Concurrency = 1 })
	change(c.Concurrency == 1, func(one *Scenario) { one.Client.Concurrency = 0 })
	change(c.Chunk != 0, func(one *Scenario) { one.Client.Chunk = 0 })
	change(c.Clock != 0, func(one *Scenario) { one.Client.Clock = 0 })
	change(len(c.Meta) > 0, func(one *Scenario) { one.Client.Meta = nil })
	change(len(c.Cache) > 0, func(one *Scenario) { one.Client.Cache = nil })
	return list
}

// plainerFaults make one fault say less: no parameter, no content, the first
// request, any request.
func plainerFaults(s *Scenario) []*Scenario {
	var list []*Scenario
	atoms := declaredAtoms(s)
	change := func(i int, applies bool, change func(f *Fault)) {
		if applies {
			own := slices.Clone(atoms)
			change(&own[i].fault)
			list = append(list, withAtoms(s, own))
		}
	}
	for i, a := range atoms {
		f := a.fault
		for _, name := range sortedKeys(f.Args) {
			change(i, true, func(f *Fault) {
				f.Args = maps.Clone(f.Args)
				delete(f.Args, name)
			})
		}
		change(i, f.Where.Digest != "", func(f *Fault) { f.Where.Digest = "" })
		change(i, f.Where.Digest != "" && f.When.Nth > 1, func(f *Fault) { f.Where.Digest, f.When.Nth = "", 1 })
		change(i, f.When.Nth > 1, func(f *Fault) { f.When.Nth = 1 })
		change(i, f.When.AfterEvent != "", func(f *Fault) { f.When.AfterEvent = "" })
		change(i, f.When.Until != "", func(f *Fault) { f.When.Until = "" })
		change(i, f.When.Optional, func(f *Fault) { f.When.Optional = false })
	}
	return list
}
