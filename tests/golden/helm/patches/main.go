// Copy into a checkout of helm v3.19.2 as cmd/gen/main.go and run: go run ./cmd/gen | head -100 > tests/golden/three_way.jsonl
// Prints random triples of objects with the patches that apimachinery makes of them.
package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/mergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

type object = map[string]interface{}

var r = rand.New(rand.NewSource(42))

func some(n int, f func(i int) interface{}) []interface{} {
	out := []interface{}{}
	for _, i := range r.Perm(n) {
		if r.Intn(3) > 0 {
			out = append(out, f(i))
		}
	}
	return out
}
func maybe(o object, key string, v interface{}) {
	if r.Intn(4) > 0 {
		o[key] = v
	}
}
func pick(v ...interface{}) interface{} { return v[r.Intn(len(v))] }

func container(i int) interface{} {
	c := object{"name": fmt.Sprintf("c%d", i)}
	maybe(c, "image", pick("nginx:1", "nginx:2", "busybox"))
	maybe(c, "command", some(3, func(i int) interface{} { return fmt.Sprintf("arg%d", i) }))
	maybe(c, "env", some(4, func(i int) interface{} {
		e := object{"name": fmt.Sprintf("E%d", i)}
		if r.Intn(2) == 0 {
			e["value"] = pick("a", "b")
		} else {
			e["valueFrom"] = object{"fieldRef": object{"fieldPath": pick("metadata.name", "status.podIP")}}
		}
		return e
	}))
	maybe(c, "ports", some(3, func(i int) interface{} {
		p := object{"containerPort": 80 + i}
		maybe(p, "protocol", pick("TCP", "UDP"))
		maybe(p, "name", pick("http", "dns"))
		return p
	}))
	maybe(c, "resources", object{"limits": object{"cpu": pick("1", "2"), "memory": pick("1Gi", "2Gi")}})
	maybe(c, "volumeMounts", some(2, func(i int) interface{} {
		return object{"name": fmt.Sprintf("v%d", i), "mountPath": fmt.Sprintf("/m%d", i), "readOnly": pick(true, false)}
	}))
	return c
}
func volume(i int) interface{} {
	v := object{"name": fmt.Sprintf("v%d", i)}
	switch r.Intn(3) {
	case 0:
		v["emptyDir"] = object{}
	case 1:
		v["configMap"] = object{"name": pick("x", "y")}
	case 2:
		v["hostPath"] = object{"path": pick("/x", "/y")}
	}
	return v
}
func metadata() object {
	m := object{"name": "x"}
	labels := object{}
	for i := 0; i < 3; i++ {
		maybe(labels, fmt.Sprintf("l%d", i), pick("a", "b"))
	}
	maybe(m, "labels", labels)
	maybe(m, "annotations", object{"a.b/c": pick("1", "2"), "gone": pick("x", nil)})
	maybe(m, "finalizers", some(3, func(i int) interface{} { return fmt.Sprintf("f%d", i) }))
	return m
}
func deployment() object {
	spec := object{"containers": some(3, container)}
	maybe(spec, "volumes", some(3, volume))
	maybe(spec, "tolerations", some(2, func(i int) interface{} { return object{"key": fmt.Sprintf("t%d", i), "operator": "Exists"} }))
	maybe(spec, "hostAliases", some(2, func(i int) interface{} { return object{"ip": fmt.Sprintf("10.0.0.%d", i), "hostnames": []interface{}{pick("a", "b")}} }))
	maybe(spec, "imagePullSecrets", some(2, func(i int) interface{} { return object{"name": fmt.Sprintf("s%d", i)} }))
	maybe(spec, "nodeSelector", object{pick("a", "b").(string): "x"})
	strategy := object{"type": "Recreate"}
	if r.Intn(2) == 0 {
		strategy = object{"type": "RollingUpdate", "rollingUpdate": object{"maxSurge": pick(1, 2, "25%")}}
	}
	d := object{"replicas": pick(1, 2, 3), "template": object{"metadata": metadata(), "spec": spec}}
	maybe(d, "strategy", strategy)
	maybe(d, "paused", pick(true, false))
	return object{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(), "spec": d}
}
func service() object {
	s := object{"ports": some(3, func(i int) interface{} {
		p := object{"port": 80 + i}
		maybe(p, "targetPort", pick(8080, "http"))
		maybe(p, "nodePort", pick(30000, 30001))
		return p
	})}
	maybe(s, "selector", object{"app": pick("a", "b")})
	maybe(s, "externalIPs", some(2, func(i int) interface{} { return fmt.Sprintf("1.2.3.%d", i) }))
	maybe(s, "type", pick("ClusterIP", "NodePort"))
	return object{"apiVersion": "v1", "kind": "Service", "metadata": metadata(), "spec": s}
}

func custom() object {
	o := object{"apiVersion": "example.com/v1", "kind": pick("Thing", "Thing", "Thing", "Thing", "Thing", "Thing", "Thing", "Other"), "metadata": metadata(), "spec": deployment()["spec"]}
	maybe(o["spec"].(object), "empty", pick(object{}, object{"x": nil}, object{"y": object{}}))
	return o
}

type testCase struct {
	Original, Modified, Current, Patch interface{}
	Error                              string `json:",omitempty"`
}

// A state of an object between others: keeps some members of `a`, takes others of `b`.
func mix(a, b object) object {
	out := object{}
	for k, v := range a {
		if m, ok := v.(object); ok && r.Intn(2) == 0 {
			if n, ok := b[k].(object); ok {
				out[k] = mix(m, n)
				continue
			}
		}
		out[k] = v
	}
	for k, v := range b {
		if r.Intn(3) == 0 {
			out[k] = v
		}
	}
	return out
}

func main() {
	cases := []testCase{}
	for i := 0; i < 400; i++ {
		gen := []func() object{deployment, service, custom}[i%3]
		o := gen()
		m := mix(o, gen())
		c := mix(o, gen())
		a, _ := json.Marshal(o)
		b, _ := json.Marshal(m)
		d, _ := json.Marshal(c)
		var patch []byte
		var err error
		if i%3 == 2 {
			patch, err = jsonmergepatch.CreateThreeWayJSONMergePatch(a, b, d, mergepatch.RequireKeyUnchanged("apiVersion"), mergepatch.RequireKeyUnchanged("kind"), mergepatch.RequireMetadataKeyUnchanged("name"))
		} else {
			var t interface{} = &appsv1.Deployment{}
			if i%3 == 1 {
				t = &corev1.Service{}
			}
			meta, e := strategicpatch.NewPatchMetaFromStruct(t)
			if e != nil {
				panic(e)
			}
			patch, err = strategicpatch.CreateThreeWayMergePatch(a, b, d, meta, true)
		}
		tc := testCase{Original: o, Modified: m, Current: c}
		if err != nil {
			tc.Error = err.Error()
		} else {
			tc.Patch = json.RawMessage(patch)
		}
		cases = append(cases, tc)
	}
	out := json.NewEncoder(os.Stdout)
	for _, c := range cases {
		out.Encode(c)
	}
}
