package main

import (
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// A target is where push pushes to, as a person writes it.
type target struct {
	host string // "127.0.0.1:5000", "docker.io"
	name string // "127.0.0.1:5000/lib/app": the local name of the repository
	tag  string // "" when none was written
}

const targetForm = "write HOST/REPOSITORY[:TAG], such as 127.0.0.1:5000/lib/app:latest"

// parseTarget splits what a person wrote as docker does (P-051). It demands the
// host that docker lets one leave out, so that a slip never reaches docker.io.
func parseTarget(s string) (target, error) {
	if strings.Contains(s, "://") {
		return target{}, usage(targetForm, "%q has a scheme; the registry's address has none", strings.SplitAfter(s, "://")[0]+"…")
	}
	host, rest, slash := strings.Cut(s, "/")
	if strings.Contains(host, "@") {
		return target{}, usage("credentials go to --user and --password-stdin", "the registry's address has an @ in it")
	}
	if strings.Contains(rest, "@") {
		return target{}, usage(targetForm, "%q names a digest; a push goes to a tag", s)
	}
	if !slash || rest == "" || (!strings.ContainsAny(host, ".:") && host != "localhost") {
		return target{}, usage(targetForm+"; docker.io/"+strings.Trim(s, "/")+" is docker's own", "%q names no registry", s)
	}
	repository, tag, hasTag := strings.Cut(rest, ":")
	if repository == "" || (hasTag && tag == "") {
		return target{}, usage(targetForm, "%q is not a repository and a tag", s)
	}
	return target{host: host, name: host + "/" + repository, tag: tag}, nil
}

// pushable is what an era can push of what was loaded: those that make manifests of
// layers push images alone.
func pushable(path string, loaded []image.Loaded, era pusher.Era) ([]image.Loaded, error) {
	if era.Way != pusher.WayGraph {
		return loaded, nil
	}
	images := filter(loaded, func(l image.Loaded) bool { return !l.Artifact })
	if len(images) == 0 {
		return nil, usage("--era best or --era containerd pushes what is stored", "%s: it holds artifacts alone, and %s makes manifests of images", path, era.Name)
	}
	return images, nil
}

// choose picks which of the loaded images go to which tags.
func choose(loaded []image.Loaded, to target, named string, all bool) (map[string]image.Loaded, error) {
	loaded = slices.DeleteFunc(slices.Clone(loaded), func(l image.Loaded) bool { return l.Other })
	if all {
		return chooseAll(loaded, to, named)
	}
	tag := to.tag
	if tag == "" {
		tag = "latest"
	}
	var found []image.Loaded
	switch {
	case named != "":
		found = filter(loaded, func(l image.Loaded) bool { return l.Name == named })
		if len(found) == 0 {
			return nil, usage(describe(loaded), "there is no image %s", named)
		}
	default:
		found = filter(loaded, func(l image.Loaded) bool { return l.Tag == tag })
		if len(found) == 0 {
			found = filter(loaded, func(l image.Loaded) bool { return !l.Artifact })
		}
		if len(found) == 0 {
			found = loaded
		}
	}
	for _, l := range found {
		if l.Image != found[0].Image || l.Content != found[0].Content {
			return nil, usage(describe(loaded)+"; choose one with --image", "it holds several images, and the tag %s picks none of them", tag)
		}
	}
	if len(found) == 0 {
		return nil, usage("", "it holds no image")
	}
	return map[string]image.Loaded{tag: found[0]}, nil
}

// chooseAll takes every tag of the one repository that is loaded, or of the one
// that is named.
func chooseAll(loaded []image.Loaded, to target, named string) (map[string]image.Loaded, error) {
	if to.tag != "" {
		return nil, usage("leave out :"+to.tag+", or leave out --all-tags", "--all-tags pushes every tag, and the target names one")
	}
	tags := map[string]image.Loaded{}
	tagged := filter(loaded, func(l image.Loaded) bool { return l.Tag != "" && (named == "" || l.Repository == named) })
	for _, l := range tagged {
		if l.Repository != tagged[0].Repository {
			return nil, usage(describe(loaded)+"; choose one with --image REPOSITORY", "it holds more than one repository")
		}
		tags[l.Tag] = l
	}
	if len(tags) == 0 {
		return nil, usage(describe(loaded), "there are no tags to push")
	}
	return tags, nil
}

func filter(loaded []image.Loaded, keep func(image.Loaded) bool) []image.Loaded {
	return slices.DeleteFunc(slices.Clone(loaded), func(l image.Loaded) bool { return !keep(l) })
}

func describe(loaded []image.Loaded) string {
	var names []string
	for _, l := range loaded {
		name := l.Name
		if name == "" {
			name = "one without a name"
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return "it holds no image"
	}
	return "it holds " + strings.Join(names, ", ")
}
