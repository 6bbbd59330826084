package engine

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"time"
)

// ping answers _ping. Its headers let a client choose the API's version.
func (c *call) ping() error {
	h := c.w.Header()
	h.Set("Api-Version", maxVersion)
	h.Set("Docker-Experimental", "false")
	h.Set("Ostype", "linux")
	h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	c.status = http.StatusOK
	if c.r.Method == http.MethodHead {
		h.Set("Content-Length", "0")
		return nil
	}
	_, err := io.WriteString(c.w, "OK")
	return err
}

// showVersion answers version.
func (c *call) showVersion() error {
	e := c.engine
	return c.reply(map[string]any{
		"Platform":      map[string]string{"Name": "pushcheck engine, era " + e.config.Era.Name},
		"Version":       e.version(),
		"ApiVersion":    maxVersion,
		"MinAPIVersion": minVersion,
		"GitCommit":     userAgentPart(e.config.Era.UserAgent, "git-commit"),
		"GoVersion":     runtime.Version(),
		"Os":            "linux",
		"Arch":          runtime.GOARCH,
		"KernelVersion": userAgentPart(e.config.Era.UserAgent, "kernel"),
	})
}

// userAgentPart is the version that a product of a User-Agent names.
func userAgentPart(agent, product string) string {
	for part := range strings.FieldsSeq(agent) {
		if v, ok := strings.CutPrefix(part, product+"/"); ok {
			return v
		}
	}
	return ""
}

// showInfo answers info, with what a client looks at before it pushes.
func (c *call) showInfo() error {
	e := c.engine
	ids, err := e.config.Images.Layers()
	if err != nil {
		return err
	}
	indexes := map[string]any{"docker.io": map[string]any{
		"Name": "docker.io", "Mirrors": nonNil(e.config.Mirrors), "Secure": true, "Official": true,
	}}
	cidrs := []string{"127.0.0.0/8"}
	for _, host := range e.config.InsecureRegistries {
		if strings.Contains(host, "/") {
			cidrs = append(cidrs, host)
			continue
		}
		indexes[host] = map[string]any{"Name": host, "Mirrors": []string{}, "Secure": false, "Official": false}
	}
	return c.reply(map[string]any{
		"ID": "pushcheck", "Name": "pushcheck", "Containers": 0, "ContainersRunning": 0, "ContainersPaused": 0, "ContainersStopped": 0,
		"Images": len(ids), "Driver": "pushcheck", "DriverStatus": [][2]string{}, "ServerVersion": e.version(),
		"OSType": "linux", "OperatingSystem": "pushcheck", "Architecture": runtime.GOARCH, "NCPU": runtime.NumCPU(), "MemTotal": 0,
		"KernelVersion": userAgentPart(e.config.Era.UserAgent, "kernel"), "IndexServerAddress": "https://index.docker.io/v1/",
		"RegistryConfig": map[string]any{"InsecureRegistryCIDRs": cidrs, "IndexConfigs": indexes, "Mirrors": nonNil(e.config.Mirrors)},
		"SystemTime":     e.clock.Now().Format(time.RFC3339Nano), "Labels": []string{}, "SecurityOptions": []string{},
	})
}

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
