// Draws a Grafana dashboard JSON with Grafana's own front-end packages, fed by a live Prometheus.
//
// Real:  @grafana/scenes (layout, variables, interpolation, query runner, transformations),
//        @grafana/prometheus (the data source), @grafana/data (units, thresholds, field config),
//        @grafana/ui (stat, bar gauge, gauge, time series, table, panel chrome).
// Ours:  the back end's part of a query (`backend`), `runRequest`, the JSON-to-scene conversion, and
//        thin panel plugins around @grafana/ui (the core panel plugins are not published on npm).
// Not covered: schema migration, annotations, repeated panels, provisioning, alerting, permissions.
//
// URL:   index.html?prom=http://127.0.0.1:9490 [&dash=dash.json] [&rows=saved]
//        &var-team=nlp chooses for a variable, as in Grafana. &interval=60 is the scrape interval in seconds. Collapsed rows are opened, so that every panel runs its
//        queries; rows=saved leaves them as they are. "Now" is the browser's clock, which a test may set.
// Hooks: window.__scene (root scene object), window.__q (executed queries), window.__log (requests),
//        window.__ready (true once React has been asked to render), window.__panels() (see below).
import './boot.js';
import { createRoot } from 'react-dom/client';
import { from, Observable } from 'rxjs';
import { map } from 'rxjs/operators';
import { MemoryRouter } from 'react-router-dom';
import * as gd from '@grafana/data';
import {
  EventBusSrv,
  FieldType,
  LoadingState,
  PanelPlugin,
  ThemeContext,
  VizOrientation,
  createTheme,
  dataFrameToJSON,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
  standardEditorsRegistry,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  toDataFrame,
} from '@grafana/data';
import * as rt from '@grafana/runtime';
import * as ui from '@grafana/ui';
import { initPluginTranslations } from '@grafana/i18n';
import {
  ConstantVariable,
  CustomVariable,
  DataSourceVariable,
  EmbeddedScene,
  IntervalVariable,
  QueryVariable,
  SceneControlsSpacer,
  SceneDataTransformer,
  SceneGridItem,
  SceneGridLayout,
  SceneGridRow,
  SceneQueryRunner,
  SceneRefreshPicker,
  SceneTimePicker,
  SceneTimeRange,
  SceneVariableSet,
  TextBoxVariable,
  VariableValueSelectors,
  VizPanel,
  sceneGraph,
} from '@grafana/scenes';
import { PrometheusDatasource } from '@grafana/prometheus';

const params = new URLSearchParams(location.search);
const PROM = params.get('prom')!;
const DASH = params.get('dash') ?? 'dash.json';
const KEEP_ROWS = params.get('rows') === 'saved';
const SCRAPE_S = Number(params.get('interval') ?? '15');
const hooks = window as any;
hooks.__log = [];
hooks.__q = [];

const theme = createTheme({ colors: { mode: 'dark' } });
(rt.config as any).theme2 = theme;

// ---------------------------------------------------------------------------------------------
// Panel plugins built on @grafana/ui
// ---------------------------------------------------------------------------------------------
const { BigValue, BarGauge, Table, VizRepeater, TimeSeries } = ui as any;

/** One display value per series or row, as Grafana's reduce options ask for. */
function displayValues(props: any) {
  return getFieldDisplayValues({
    fieldConfig: props.fieldConfig,
    reduceOptions: props.options.reduceOptions ?? { calcs: ['lastNotNull'], values: false },
    replaceVariables: props.replaceVariables,
    theme,
    data: props.data.series,
    sparkline: (props.options.graphMode ?? 'area') !== 'none',
    timeZone: props.timeZone,
  });
}

type RenderValue = (repeated: any, props: any) => any;

/** Wraps a renderer of one value into a panel that repeats it for all values. */
const repeated =
  (render: RenderValue, more: any = {}) =>
  (props: any) => (
    <VizRepeater
      getValues={() => displayValues(props)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      width={props.width}
      height={props.height}
      minVizWidth={props.options.minVizWidth}
      minVizHeight={props.options.minVizHeight}
      maxVizHeight={props.options.maxVizHeight}
      source={props.data}
      orientation={props.options.orientation ?? VizOrientation.Auto}
      renderCounter={props.renderCounter}
      itemSpacing={3}
      renderValue={(item: any) => render(item, props)}
      {...more}
    />
  );

/** A single series needs no name: the panel's title says it. */
const nameOf = ({ value, count }: any, props: any) =>
  count === 1 && !props.fieldConfig.defaults.displayName ? { ...value.display, title: undefined } : value.display;

const StatPanel = repeated(
  (item, props) => (
    <BigValue
      value={item.value.display}
      count={item.count}
      width={item.width}
      height={item.height}
      theme={theme}
      alignmentFactors={item.alignmentFactors}
      text={props.options.text}
      colorMode={props.options.colorMode ?? 'value'}
      graphMode={props.options.graphMode ?? 'area'}
      justifyMode={props.options.justifyMode ?? 'auto'}
      textMode={props.options.textMode ?? 'auto'}
      disableWideLayout={!props.options.wideLayout}
      sparkline={item.value.sparkline}
    />
  ),
  { autoGrid: true }
);

const BarGaugePanel = repeated((item, props) => {
  const { value, width, height, orientation, alignmentFactors } = item;
  return (
    <BarGauge
      value={nameOf(item, props)}
      field={value.field}
      width={width}
      height={height}
      theme={theme}
      text={props.options.text}
      alignmentFactors={alignmentFactors}
      itemSpacing={3}
      display={value.view ? value.view.getFieldDisplayProcessor(value.colIndex) : undefined}
      displayMode={props.options.displayMode ?? 'gradient'}
      showUnfilled={props.options.showUnfilled}
      valueDisplayMode={props.options.valueMode}
      namePlacement={props.options.namePlacement}
      isOverflow={(height + 3) * item.count - 3 > props.height}
      orientation={orientation}
    />
  );
});

// @grafana/ui 13.2.1 publishes no round gauge (RadialGauge is internal and not in the npm package),
// so a `gauge` panel is drawn as a stat: its query, unit and thresholds are still exercised.
const GaugePanel = StatPanel;

/** What a panel says that has no data: its own words, as Grafana's error view does. */
const Nothing = (props: any) => (
  <div style={{ height: '100%', display: 'flex', alignItems: 'center', justifyContent: 'center', fontSize: 16 }}>
    {props.fieldConfig.defaults.noValue ?? 'No data'}
  </div>
);

const TimeSeriesPanel = (props: any) =>
  !props.data.series?.length ? (
    <Nothing {...props} />
  ) : (
    <TimeSeries
      replaceVariables={props.replaceVariables}
      dataLinkPostProcessor={undefined}
      frames={props.data.series}
      structureRev={props.data.structureRev}
      timeRange={props.timeRange}
      timeZone={props.timeZone}
      width={props.width}
      height={props.height}
      legend={
        props.options.legend ?? { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] }
      }
      options={props.options}
    />
  );

const TablePanel = (props: any) =>
  !props.data.series?.[0]?.length ? (
    <Nothing {...props} />
  ) : (
    <Table
      data={props.data.series[0]}
      width={props.width}
      height={props.height}
      columnMinWidth={80}
      initialSortBy={props.options.sortBy}
    />
  );

/** Any other panel type (text, piechart, heatmap ...): its queries run, its picture is not drawn. */
const UndrawnPanel = (props: any) => (
  <div>panel type not drawn here; {props.data.series?.length ?? 0} frames</div>
);

const plugins: Record<string, PanelPlugin> = {};

/** The custom field options of the time series panel, so that fieldConfig.defaults.custom is kept. */
function timeSeriesCustomConfig(builder: any) {
  for (const key of ['lineWidth', 'fillOpacity', 'pointSize', 'barAlignment']) {
    builder.addNumberInput({ path: key, name: key });
  }
  for (const key of [
    'drawStyle',
    'lineInterpolation',
    'showPoints',
    'gradientMode',
    'axisPlacement',
    'axisLabel',
  ]) {
    builder.addTextInput({ path: key, name: key });
  }
  for (const key of ['stacking', 'thresholdsStyle', 'hideFrom', 'scaleDistribution', 'lineStyle']) {
    builder.addCustomEditor({
      id: key,
      path: key,
      name: key,
      editor: () => null,
      override: () => null,
      process: (value: any) => value,
      shouldApply: () => true,
    });
  }
}

/** Those of the table panel. */
function tableCustomConfig(builder: any) {
  for (const key of ['cellOptions', 'width', 'minWidth', 'align', 'filterable', 'inspect', 'hidden']) {
    builder.addCustomEditor({
      id: key,
      path: key,
      name: key,
      editor: () => null,
      override: () => null,
      process: (value: any) => value,
      shouldApply: () => true,
      defaultValue: key === 'cellOptions' ? { type: 'auto' } : undefined,
    });
  }
}

function registerPanel(id: string, component: any, useCustomConfig?: (builder: any) => void) {
  const plugin = new PanelPlugin(component);
  plugin.meta = { id, name: id, type: 'panel', sort: 0, info: {}, module: '', baseUrl: '' } as any;
  plugin.useFieldConfig(useCustomConfig ? { useCustomConfig } : {});
  plugins[id] = plugin;
  return plugin;
}

const pluginFor = (id: string) => plugins[id] ?? registerPanel(id, UndrawnPanel);

// ---------------------------------------------------------------------------------------------
// The back end's part: /api/ds/query and the resource calls, answered from Prometheus
// ---------------------------------------------------------------------------------------------
const answer = (config: any, data: any) => ({ data, status: 200, ok: true, headers: new Headers(), config });

function expandMacros(expr: string, stepS: number, rangeS: number) {
  const rateS = Math.max(stepS + SCRAPE_S, 4 * SCRAPE_S); // Grafana's own rule
  return expr
    .replace(/\$(__range_ms|\{__range_ms\})/g, String(rangeS * 1000))
    .replace(/\$(__range_s|\{__range_s\})/g, String(rangeS))
    .replace(/\$(__rate_interval|\{__rate_interval\})/g, rateS + 's')
    .replace(/\$(__interval|\{__interval\})/g, stepS + 's')
    .replace(/\$(__range|\{__range\})/g, rangeS + 's');
}

function legend(format: string | undefined, metric: Record<string, string>) {
  if (!format || format === '__auto') {
    return undefined;
  }
  return format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_m, key: string) => metric[key] ?? '');
}

/** One frame per series. For `format: table` the data source itself joins these frames into a table. */
function seriesFrame(query: any, row: any, instant: boolean) {
  const points = instant ? [row.value] : row.values;
  const { __name__, ...withoutName } = row.metric;
  const labels = query.format === 'table' ? row.metric : withoutName;
  const name = legend(query.legendFormat, row.metric);
  return toDataFrame({
    refId: query.refId,
    name,
    meta: {
      type: (instant ? 'numeric-multi' : 'timeseries-multi') as any,
      custom: { resultType: instant ? 'vector' : 'matrix' },
    },
    fields: [
      { name: 'Time', type: FieldType.time, values: points.map((p: any) => p[0] * 1000) },
      {
        name: 'Value',
        type: FieldType.number,
        labels,
        config: { displayNameFromDS: name },
        values: points.map((p: any) => +p[1]),
      },
    ],
  });
}

async function runQuery(query: any, fromS: number, toS: number) {
  const stepS = Math.max(SCRAPE_S, Math.round((query.intervalMs || 15000) / 1000));
  const expr = expandMacros(query.expr, stepS, Math.round(toS - fromS));
  const instant = query.instant && !query.range;
  const url = instant
    ? `${PROM}/api/v1/query?time=${toS}`
    : `${PROM}/api/v1/query_range?start=${fromS}&end=${toS}&step=${stepS}`;
  const reply = await (
    await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'query=' + encodeURIComponent(expr),
    })
  ).json();
  const scalar = reply.data?.resultType === 'scalar';
  const rows = scalar ? [{ metric: {}, value: reply.data.result }] : reply.data?.result;
  hooks.__q.push({ expr, status: reply.status, error: reply.error, n: rows?.length });
  if (reply.status !== 'success') {
    return { status: 400, error: reply.error, frames: [] };
  }
  const frames = rows.map((row: any) => seriesFrame(query, row, instant));
  return { status: 200, frames: frames.map((frame: any) => dataFrameToJSON(frame)) };
}

async function handle(request: any) {
  hooks.__log.push({ url: request.url, data: request.data });
  if (request.url.startsWith('/api/ds/query') || request.url.includes('query.grafana.app')) {
    const results: any = {};
    for (const query of request.data.queries) {
      results[query.refId] = await runQuery(query, +request.data.from / 1000, +request.data.to / 1000);
    }
    return answer(request, { results });
  }
  const resource = request.url.match(/resources\/(api\/v1\/.*)$/); // label_values(), series, metadata ...
  if (resource) {
    const query = new URLSearchParams(request.params || request.data || {});
    const glue = resource[1].includes('?') ? '&' : '?';
    return answer(request, await (await fetch(`${PROM}/${resource[1]}${glue}${query}`)).json());
  }
  return answer(request, {});
}

const backend = {
  fetch: (request: any): Observable<any> => from(handle(request)),
  get: async (url: string, query: any) => (await handle({ url, params: query })).data,
  post: async () => ({}),
  put: async () => ({}),
  patch: async () => ({}),
  delete: async () => ({}),
  datasourceRequest: async () => ({}),
  request: async () => ({}),
};

// ---------------------------------------------------------------------------------------------
// Run-time services that Grafana core normally provides
// ---------------------------------------------------------------------------------------------
const templateSrv: any = {
  replace(text: any, scopedVars: any, format: any) {
    if (text == null) {
      return '';
    }
    const origin = scopedVars?.__sceneObject?.value?.valueOf?.() ?? hooks.__scene;
    return sceneGraph.interpolate(origin, text, scopedVars, format);
  },
  getVariables: () => [],
  containsTemplate: (text: any) => /\$|\[\[/.test(text || ''),
  updateTimeRange() {},
  getAdhocFilters: () => [],
};

const settings: any = {
  id: 1,
  uid: 'prom',
  type: 'prometheus',
  name: 'prom',
  access: 'proxy',
  url: '/p',
  jsonData: { timeInterval: `${SCRAPE_S}s`, httpMethod: 'GET' },
  meta: { id: 'prometheus', name: 'Prometheus', type: 'datasource', info: {}, module: '', baseUrl: '' },
  readOnly: false,
  isDefault: true,
};

/** Grafana core owns the list of standard field options; it is not in the npm packages. */
function registerStandardEditors() {
  const processors = gd as any;
  const identity = (value: any) => value;
  const option = (id: string, process: any = identity) => ({
    id,
    path: id,
    name: id,
    editor: () => null,
    override: () => null,
    process,
    settings: {},
    shouldApply: () => true,
  });
  (standardFieldConfigEditorRegistry as any).setInit(() => [
    option('unit', processors.unitOverrideProcessor),
    option('min', processors.numberOverrideProcessor),
    option('max', processors.numberOverrideProcessor),
    option('fieldMinMax'),
    option('decimals', processors.numberOverrideProcessor),
    option('displayName', processors.displayNameOverrideProcessor),
    option('color'),
    option('noValue', processors.stringOverrideProcessor),
    option('links', processors.dataLinksOverrideProcessor),
    option('actions'),
    option('mappings', processors.valueMappingsOverrideProcessor),
    option('thresholds', processors.thresholdsOverrideProcessor),
    option('filterable', processors.booleanOverrideProcessor),
  ]);
  const editors =
    'number text boolean select radio unit links actions statsPicker strings string timezone fieldColor color ' +
    'multi-select field-name dashboard-uid slider thresholds mappings cell-type';
  standardEditorsRegistry.setInit(() =>
    editors.split(' ').map((id) => ({ id, name: id, editor: () => null }) as any)
  );
  const transformers = new Map(Object.values(standardTransformers).map((t: any) => [t.id, t])); // some have two names
  standardTransformersRegistry.setInit(() =>
    [...transformers.values()].map(
      (t: any) => ({ id: t.id, name: t.name, editor: () => null, transformation: () => t }) as any
    )
  );
}

function runRequest(datasource: any, request: any, queryFunction: any) {
  const source = queryFunction ? queryFunction(request) : datasource.query(request);
  return from(source).pipe(
    map((reply: any) => ({
      state: reply.error || reply.errors?.length ? LoadingState.Error : (reply.state ?? LoadingState.Done),
      structureRev: (hooks.__rev = (hooks.__rev || 0) + 1),
      series: (reply.data || []).map((frame: any) => {
        try {
          return toDataFrame(frame);
        } catch {
          return frame;
        }
      }),
      annotations: [],
      request,
      timeRange: request.range,
      error: reply.error || reply.errors?.[0],
      errors: reply.errors,
    }))
  );
}

function installServices() {
  rt.setBackendSrv(backend as any);
  rt.setTemplateSrv(templateSrv);
  rt.setAppEvents?.(new EventBusSrv());
  rt.setEchoSrv?.({ addEvent() {}, flush() {}, addBackend() {} } as any);
  (rt.config as any).datasources = { prom: settings };
  const datasource = new PrometheusDatasource(settings, templateSrv);
  if ((datasource as any).languageProvider) {
    (datasource as any).languageProvider.start = async () => [];
  }
  rt.setDataSourceSrv({
    get: async () => datasource,
    getList: () => [settings],
    getInstanceSettings: () => settings,
    reload() {},
    registerRuntimeDataSource() {},
  } as any);
  rt.setRunRequest(runRequest as any);
  registerPanel('timeseries', TimeSeriesPanel, timeSeriesCustomConfig);
  registerPanel('stat', StatPanel);
  registerPanel('bargauge', BarGaugePanel);
  registerPanel('gauge', GaugePanel);
  registerPanel('table', TablePanel, tableCustomConfig);
  rt.setPluginImportUtils({
    importPanelPlugin: async (id: string) => pluginFor(id),
    getPanelPluginFromCache: pluginFor,
  } as any);
}

// ---------------------------------------------------------------------------------------------
// Dashboard JSON -> scene
// ---------------------------------------------------------------------------------------------
/** A panel's time range of its own, as `timeFrom` says: "now/d" or "24h". */
const ownRange = (text: string) =>
  new SceneTimeRange({ from: text.startsWith('now') ? text : `now-${text}`, to: 'now' });

function toPanel(panel: any) {
  const runner = new SceneQueryRunner({
    datasource: panel.datasource,
    queries: (panel.targets || []).map((target: any, i: number) => ({
      refId: String.fromCharCode(65 + i),
      ...target,
    })),
    maxDataPoints: panel.maxDataPoints,
  });
  const data = panel.transformations?.length
    ? new SceneDataTransformer({ $data: runner, transformations: panel.transformations })
    : runner;
  return new SceneGridItem({
    x: panel.gridPos.x,
    y: panel.gridPos.y,
    width: panel.gridPos.w,
    height: panel.gridPos.h,
    body: new VizPanel({
      key: 'panel-' + panel.id,
      title: panel.title,
      description: panel.description,
      $timeRange: panel.timeFrom ? ownRange(panel.timeFrom) : undefined,
      pluginId: panel.type,
      options: panel.options ?? {},
      fieldConfig: {
        defaults: {
          color: { mode: panel.type === 'timeseries' ? 'palette-classic' : 'thresholds' },
          thresholds: {
            mode: 'absolute' as any,
            steps: [
              { value: -Infinity as any, color: 'green' },
              { value: 80, color: 'red' },
            ],
          },
          ...(panel.fieldConfig?.defaults ?? {}),
        },
        overrides: panel.fieldConfig?.overrides ?? [],
      },
      $data: data,
    }),
  });
}

/** The panels after an open row are in it, as in Grafana; a collapsed row holds its panels itself. */
function toGridChildren(panels: any[]) {
  const children: any[] = [];
  let row: any = null;
  for (const panel of panels) {
    if (panel.type === 'row') {
      row = { ...panel, panels: [...(panel.panels ?? [])] };
      children.push(row);
    } else if (row && !row.collapsed) {
      row.panels.push(panel);
    } else {
      children.push(panel);
    }
  }
  return children.map((child) => (child.type === 'row' ? toRow(child) : toPanel(child)));
}

function toRow(row: any) {
  return new SceneGridRow({
    y: row.gridPos.y,
    title: row.title,
    isCollapsed: KEEP_ROWS && row.collapsed,
    children: row.panels.map(toPanel),
  });
}

/** What the address chooses for a variable (`var-team=nlp`), as in Grafana. */
const chosen = (v: any, otherwise: any) => params.get(`var-${v.name}`) ?? otherwise;

function toVariable(v: any): any {
  switch (v.type) {
    case 'query':
      return new QueryVariable({
        name: v.name,
        label: v.label,
        datasource: v.datasource,
        query: v.query,
        isMulti: v.multi,
        includeAll: v.includeAll,
        value: chosen(v, v.includeAll ? '$__all' : undefined),
        allValue: v.allValue,
        regex: v.regex ?? '',
        sort: v.sort,
      });
    case 'custom':
      return new CustomVariable({ name: v.name, query: v.query });
    case 'textbox':
      return new TextBoxVariable({ name: v.name, label: v.label, value: String(v.query ?? '') });
    case 'constant':
      return new ConstantVariable({ name: v.name, value: v.query });
    case 'interval':
      return new IntervalVariable({ name: v.name, intervals: String(v.query).split(',') });
    default:
      return new DataSourceVariable({ name: v.name, label: v.label, pluginId: v.query, value: 'prom' });
  }
}

function toScene(dashboard: any) {
  return new EmbeddedScene({
    $timeRange: new SceneTimeRange({
      from: dashboard.time?.from ?? 'now-5m',
      to: dashboard.time?.to ?? 'now',
    }),
    $variables: new SceneVariableSet({ variables: (dashboard.templating?.list || []).map(toVariable) }),
    controls: [
      new VariableValueSelectors({}),
      new SceneControlsSpacer(),
      new SceneTimePicker({}),
      new SceneRefreshPicker({}),
    ],
    body: new SceneGridLayout({ children: toGridChildren(dashboard.panels) }),
  });
}

/** What a test asserts on: one plain object per panel. */
hooks.__panels = () => {
  const out: any[] = [];
  const visit = (object: any) => {
    if (object instanceof VizPanel) {
      const state: any = object.state;
      const data = state.$data?.state?.data;
      out.push({
        title: state.title,
        type: state.pluginId,
        height: (object.parent?.state as any)?.height,
        pluginError: state._pluginLoadError,
        state: data?.state,
        frames: data?.series?.length ?? 0,
        rows: (data?.series ?? []).reduce((n: number, s: any) => n + (s.length ?? 0), 0),
        errors: (data?.errors ?? []).map((e: any) => e.message ?? String(e)),
      });
    }
    object.forEachChild?.(visit);
  };
  visit(hooks.__scene);
  return out;
};

async function main() {
  for (const plugin of ['grafana-scenes', 'grafana-prometheus']) {
    try {
      await initPluginTranslations(plugin);
    } catch (error) {
      console.log('i18n', plugin, String(error));
    }
  }
  registerStandardEditors();
  installServices();

  const scene = toScene(await (await fetch(DASH)).json());
  hooks.__scene = scene;
  createRoot(document.getElementById('root')!).render(
    <ThemeContext.Provider value={theme}>
      <ui.GlobalStyles />
      <MemoryRouter>
        <rt.LocationServiceProvider service={rt.locationService}>
          <ui.PortalContainer />
          <scene.Component model={scene} />
        </rt.LocationServiceProvider>
      </MemoryRouter>
    </ThemeContext.Provider>
  );
  hooks.__ready = true;
}

main().catch((error) => {
  hooks.__failed = String(error?.stack || error);
  console.error('MAIN', hooks.__failed);
});
