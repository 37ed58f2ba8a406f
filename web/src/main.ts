import { createApp } from 'vue';
import './styles/tokens.css';
import './styles/base.css';
import App from './App.vue';
import { initLanguage } from './i18n';
import { initTheme } from './ui/theme';

initTheme();
initLanguage();
createApp(App).mount('#app');
