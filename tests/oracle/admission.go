package oracle

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install" // The API server's defaults and conversions.
	"k8s.io/kubernetes/pkg/registry/autoscaling/horizontalpodautoscaler"
)

// admit makes of a spec the HPA that an API server would store: defaulted, validated, without disabled fields.
// old is the HPA that it replaces, if any.
func admit(spec *autoscalingv2.HorizontalPodAutoscalerSpec, old *autoscalingv2.HorizontalPodAutoscaler) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	given := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: hpaNamespace, Name: hpaName, ResourceVersion: "1"},
		Spec:       *spec.DeepCopy(),
	}
	legacyscheme.Scheme.Default(given)
	inner := &autoscaling.HorizontalPodAutoscaler{}
	if err := legacyscheme.Scheme.Convert(given, inner, nil); err != nil {
		return nil, err
	}
	var errs field.ErrorList
	if old == nil {
		horizontalpodautoscaler.Strategy.PrepareForCreate(admission, inner)
		errs = horizontalpodautoscaler.Strategy.Validate(admission, inner)
	} else {
		innerOld := &autoscaling.HorizontalPodAutoscaler{}
		if err := legacyscheme.Scheme.Convert(old, innerOld, nil); err != nil {
			return nil, err
		}
		horizontalpodautoscaler.Strategy.PrepareForUpdate(admission, inner, innerOld)
		errs = horizontalpodautoscaler.Strategy.ValidateUpdate(admission, inner, innerOld)
	}
	if len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	stored := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := legacyscheme.Scheme.Convert(inner, stored, nil); err != nil {
		return nil, fmt.Errorf("cannot store: %w", err)
	}
	return stored, nil
}

// admission is the context of a request for a HorizontalPodAutoscaler, which declarative validation wants.
var admission = klog.NewContext(request.WithRequestInfo(context.Background(), &request.RequestInfo{
	IsResourceRequest: true,
	APIGroup:          autoscalingv2.GroupName,
	APIVersion:        autoscalingv2.SchemeGroupVersion.Version,
	Resource:          "horizontalpodautoscalers",
}), logr.Discard())
